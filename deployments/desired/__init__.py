"""The one way to change what people want: create, revise, stop, start, restart, delete, abandon, share.

Each change is one transaction that leaves a due row behind, and after the commit sends a hint to the worker. If
the hint is lost, the row is found by the next tick. The wizard, `manage.py apply` and the API all come here.
"""

from deployments.desired.revising import Conflict, create, name_taken, revise, roll_back, share
from deployments.desired.wishes import (
    abandon,
    delete,
    endpoint_changed,
    key_changed,
    look_again,
    repair_now,
    restart,
    set_drift_policy,
    start,
    stop,
)

__all__ = [
    "Conflict",
    "abandon",
    "create",
    "delete",
    "endpoint_changed",
    "key_changed",
    "look_again",
    "name_taken",
    "repair_now",
    "restart",
    "revise",
    "roll_back",
    "set_drift_policy",
    "share",
    "start",
    "stop",
]

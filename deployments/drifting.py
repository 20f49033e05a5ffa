"""What is remembered of changes that others made in the cluster, from one look to the next. Pure.

Kept with the deployment as {"at", "policy", "changes": [{"object", "paths", "by"}], "repaired"}: "at" is when it was
first seen, "paths" is empty when the whole object was removed. With "repair", somebody asked for a repair although
the policy is to leave it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from deployments.plan import Change
from deployments.vocabulary import DriftPolicy

#: A repaired change is shown for a day: else nobody would learn that there was one.
KEPT_FOR = timedelta(days=1)
REPAIR = "repair"

Record = Mapping[str, Any]


def policy_of(policy: str, record: Record | None) -> DriftPolicy:
    """What to do at this look: the deployment's policy, or the one repair that somebody asked for."""
    return DriftPolicy.REPAIR if record and record.get(REPAIR) else DriftPolicy(policy)


def remembered(
    before: Record | None, changes: Sequence[Change], policy: str, now: datetime
) -> dict[str, Any] | None:
    """The record after a look that found these changes and did what the policy says."""
    repaired = policy_of(policy, before) is DriftPolicy.REPAIR
    found = [change.to_mapping() for change in changes]
    if found:
        still = before is not None and not before["repaired"] and before["changes"] == found
        at = before["at"] if before is not None and still else now.isoformat()
        return {"at": at, "policy": policy, "changes": found, "repaired": repaired}
    if before is None or not before["repaired"]:
        return None
    return dict(before) if now - datetime.fromisoformat(before["at"]) < KEPT_FOR else None

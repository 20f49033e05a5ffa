"""The audit: every change by a person or a program, and what was refused, in a chain that shows any tampering.

with transaction.atomic():
    ...                                                        # the change
    record("cluster.edited", cluster, before=before, after=after)   # last: others wait until the commit
"""

from console.audit.context import Actor, ActorKind, acting_as, acting_as_program
from console.audit.recording import Thing, record, refuse, thing_of

__all__ = ["Actor", "ActorKind", "Thing", "acting_as", "acting_as_program", "record", "refuse", "thing_of"]

"""The one door into the audit: who did what to which object, and what it changed.

`record` belongs into the transaction of the change, so that one never is without the other; as its last statement,
because from then on until the commit everybody else's entries wait. `refuse` is for what did not happen.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from django.db import models, transaction
from django.utils import timezone

from console import origin
from console.audit import chain
from console.audit.context import Actor, current
from console.audit.difference import Changes, difference, text
from console.audit.entry import AuditEntry, AuditHead

log = logging.getLogger(__name__)

REFUSALS_REMEMBERED = timedelta(minutes=1)
MOST_REFUSALS = 60
"""Of everybody together, in that time; what is beyond stands in the logs alone, so that no attacker fills the table."""
MOST_OF_AN_ADDRESS = 10


class Thing(NamedTuple):
    """What an entry is about, for what is no row of a model, or a row that has gone."""

    kind: str
    name: str
    id: str = ""
    organization_id: int | None = None
    organization: str = ""


_KINDS = {"catalogmodel": "model", "user": "person", "apikey": "api_key"}
"""Models whose name in the code is not the word that people know."""


def record(
    action: str,
    thing: models.Model | Thing,
    *,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
    organization: models.Model | None = None,
) -> AuditEntry | None:
    """Appends an entry within the transaction of the change. The actor, address and request id come from the context.

    Given both sides, and nothing differs between them, then nothing was changed and nothing is recorded (None).
    `organization`: the tenant that it concerns, where the object does not say so itself. Secrets may be passed in
    as `Sealed`; of them, and of texts under a name like "token", only that they changed is kept.
    """
    changes = difference(before, after)
    if before is not None and after is not None and not changes:
        return None
    # Without a savepoint: a change that cannot be recorded is not made.
    with transaction.atomic(savepoint=False):
        return _append(_lock(), action, _thing(thing, organization), changes)


def refuse(action: str, thing: models.Model | Thing, *, actor: Actor | None = None, why: str = "") -> None:
    """Notes that something was refused: within a request when it is answered, whatever is rolled back with it.

    The same refusal of the same address counts once a minute, and all of them are bounded; the others are only logged.
    """
    context = current()
    refusal = (action, _thing(thing, None), actor or context.who(), why)
    if context.request is not None:
        context.refusals.append(refusal)
    else:
        write_refusal(*refusal)


def write_refusal(action: str, thing: Thing, actor: Actor, why: str) -> None:
    """In a transaction of its own, unless there is one around."""
    with transaction.atomic():
        head = _lock()
        if _is_one_too_many(action, thing, actor):
            log.warning(
                "Not recorded again: %s of %r by %r from %s",
                action,
                thing.name,
                actor.name,
                current().address,
            )
            return
        _append(head, action, thing, difference(None, {"why": why or None}), actor=actor, refused=True)


def thing_of(row: models.Model) -> Thing:
    """What an entry says of a row: take it before the row is deleted."""
    return _thing(row, None)


def _lock() -> AuditHead:
    """The head, held until the end of the transaction."""
    head = AuditHead.objects.select_for_update().first()
    if head is not None:
        return head
    last = AuditEntry.objects.first()
    begin = last.link if last else None
    made = AuditHead(number=begin.number if begin else 0, digest=begin.digest if begin else chain.NOTHING)
    AuditHead.objects.bulk_create([made], ignore_conflicts=True)
    return AuditHead.objects.select_for_update().get()


def _append(
    head: AuditHead,
    action: str,
    thing: Thing,
    changes: Changes,
    *,
    actor: Actor | None = None,
    refused: bool = False,
) -> AuditEntry:
    context = current()
    actor = actor or context.who()
    entry = AuditEntry(
        number=head.number + 1,
        at=timezone.now(),
        action=action,
        refused=refused,
        actor_kind=actor.kind.value,
        actor_id=actor.id,
        actor=text(actor.name, 254),
        address=context.address,
        request_id=origin.request_id(),
        object_kind=thing.kind,
        object_id=thing.id,
        object_name=text(thing.name, 254),
        organization_id=thing.organization_id,
        organization=thing.organization,
        changes=changes,
        previous=head.digest,
    )
    entry.digest = chain.digest(head.digest, entry.number, entry.content)
    entry.save(force_insert=True)
    AuditHead.objects.update(number=entry.number, digest=entry.digest)
    return entry


def _thing(thing: models.Model | Thing, organization: Any) -> Thing:
    if isinstance(thing, models.Model):
        row: Any = thing
        name = row._meta.model_name
        owner = organization or (row if name == "organization" else getattr(row, "organization", None))
        found = Thing(_KINDS.get(name, name), getattr(row, "audit_name", "") or str(row), str(row.pk or ""))
    else:
        owner, found = organization, thing
    if owner is None:
        return found
    return found._replace(organization_id=owner.pk, organization=owner.slug)


def _is_one_too_many(action: str, thing: Thing, actor: Actor) -> bool:
    """Asked while the head is locked, so that two at once do not both count as the first."""
    since = timezone.now() - REFUSALS_REMEMBERED
    recent = list(
        AuditEntry.objects.filter(refused=True, at__gt=since)
        .order_by("-at")
        .values_list("action", "object_name", "actor", "address")[:MOST_REFUSALS]
    )
    network = _network(current().address)
    near = [row[:3] for row in recent if _network(row[3]) == network]
    same = (action, text(thing.name, 254), text(actor.name, 254))
    return len(recent) >= MOST_REFUSALS or len(near) >= MOST_OF_AN_ADDRESS or same in near


def _network(address: str) -> str:
    """What one client has for itself: an IPv4 address, or the /64 of an IPv6 one."""
    if ":" not in address:
        return address
    return str(ipaddress.ip_network((address, 64), strict=False))

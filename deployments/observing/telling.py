"""What of a look is told to people who asked for it: deployments that failed, and those that serve again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from console.notices.announcing import Announcement, announce
from console.notices.kinds import Kind
from deployments.models import Cluster, Transition
from deployments.vocabulary import Phase

QUIET = timedelta(minutes=10)
"""One that fails and recovers all the time is told of at most so often, for each of both."""
_TURNING = (Phase.FAILED, Phase.SERVING, Phase.STOPPED)
"""After the last of these it is known whether a deployment that serves has recovered."""


class Move(NamedTuple):
    """A change of phase, as it is about to be written."""

    deployment_id: int
    name: str
    revision: int
    before: str
    after: Phase
    sentence: str
    remedy: str


def tell(cluster: Cluster, moves: Sequence[Move], at: datetime) -> None:
    """In the transaction that writes the moves, before they are written. A constant number of statements."""
    failed = [each for each in moves if each.after is Phase.FAILED and each.before != Phase.FAILED]
    serving = [each for each in moves if each.after is Phase.SERVING and each.before != Phase.SERVING]
    ill = _ill(each.deployment_id for each in serving) if serving else set()
    recovered = [each for each in serving if each.deployment_id in ill]
    told = [_announcement(Kind.DEPLOYMENT_FAILED, cluster, each, at) for each in failed]
    told += [_announcement(Kind.DEPLOYMENT_RECOVERED, cluster, each, at) for each in recovered]
    if told:
        announce(*told)


def _ill(deployment_ids: Iterable[int]) -> set[int]:
    """Of these, those that have failed and not served since; a stop by a person ends that, too."""
    last = (
        Transition.objects.filter(deployment_id__in=list(deployment_ids), after__in=_TURNING)
        .order_by("deployment_id", "-at", "-id")
        .distinct("deployment_id")
        .values_list("deployment_id", "after")
    )
    return {deployment_id for deployment_id, after in last if after == Phase.FAILED}


def _announcement(kind: Kind, cluster: Cluster, move: Move, at: datetime) -> Announcement:
    sentence = move.sentence
    if kind is Kind.DEPLOYMENT_RECOVERED:
        sentence = f"{move.name} serves again, with revision {move.revision}."
    return Announcement(
        kind=kind,
        subject=move.name,
        key=f"{kind}:{move.deployment_id}:{at.isoformat()}",
        sentence=sentence or f"{move.name} has failed.",
        remedy=move.remedy if kind is Kind.DEPLOYMENT_FAILED else "",
        path=f"/deployments/{move.name}/",
        place=f"on {cluster.name}",
        deployment_id=move.deployment_id,
        facts={"deployment": move.name, "cluster": cluster.slug, "revision": move.revision},
        at=at,
        quiet=QUIET,
    )

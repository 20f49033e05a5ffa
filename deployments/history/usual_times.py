"""How long the steps of a rollout usually take, measured over the latest rollouts of the same model."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from deployments.history.timeline import Change, expected
from deployments.models import Deployment, Transition
from deployments.vocabulary import Phase

MOST_HISTORY = 400
#: From being scheduled to being ready.
_START = (Phase.SCHEDULING, Phase.PULLING, Phase.LOADING)


def of(deployment: Deployment, leave_out: int = 0) -> tuple[dict[Phase, timedelta], int]:
    """Medians by step and the number of rollouts behind them; without revision `leave_out` of this deployment."""
    history = (
        Transition.objects.filter(deployment__model=deployment.model_id)
        .exclude(deployment=deployment, revision=leave_out)
        .order_by("-at", "-id")
        .values_list("at", "after", "deployment_id", "revision")[:MOST_HISTORY]
    )
    return expected(Change(at, Phase(after), (owner, revision)) for at, after, owner, revision in history)


def start_of(times: Mapping[Phase, timedelta]) -> timedelta | None:
    """What one replica takes from being scheduled to being ready; None when no start was measured."""
    known = [times[step] for step in _START if step in times]
    return sum(known, timedelta(0)) if known else None

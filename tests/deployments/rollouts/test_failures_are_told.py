"""A deployment that fails, and one that serves again, are told of: once, in the transaction that writes it down."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from console.models import Notice
from deployments.models import Cluster, Transition
from deployments.observing.telling import Move, tell
from deployments.vocabulary import Phase
from tests.deployments.pages import world

pytestmark = pytest.mark.django_db
START = timezone.now().replace(microsecond=0)


def cluster() -> Cluster:
    return Cluster.objects.get(slug="fra-1")


def go(phases: str, minute: float = 0.0, step: float = 20.0) -> None:
    """Takes "chat" from one phase to the next, as the observer does."""
    names = {
        "f": Phase.FAILED,
        "s": Phase.SERVING,
        "l": Phase.LOADING,
        "x": Phase.STOPPED,
        "d": Phase.DEGRADED,
    }
    last = Transition.objects.first()
    before = str(last.after) if last else ""
    for number, letter in enumerate(phases):
        after = names[letter]
        at = START + timedelta(minutes=minute + number * step)
        write(before, after, at)
        before = after


def write(before: str, after: Phase, at: datetime) -> None:
    deployment = world.Deployment.objects.get(name="chat")
    move = Move(deployment.pk, "chat", 3, before, after, "Cannot pull the image.", "Set another tag.")
    with transaction.atomic():
        tell(cluster(), [move], at)
        world.move(deployment, after, at)


def told() -> list[str]:
    return list(Notice.objects.order_by("at").values_list("kind", flat=True))


def test_a_failure_says_what_where_and_what_to_do() -> None:
    deployment = world.deployment("chat")
    go("lf")
    notice = Notice.objects.get()
    assert (notice.kind, notice.subject, notice.place) == ("deployment.failed", "chat", "on fra-1")
    assert (notice.sentence, notice.remedy) == ("Cannot pull the image.", "Set another tag.")
    assert (notice.path, notice.deployment_id) == ("/deployments/chat/", deployment.pk)
    assert notice.facts == {"deployment": "chat", "cluster": "fra-1", "revision": 3}


@pytest.mark.parametrize(
    ("phases", "kinds"),
    [
        ("ls", []),
        ("lsds", []),
        ("lfls", ["deployment.failed", "deployment.recovered"]),
        ("fldls", ["deployment.failed", "deployment.recovered"]),
        ("flsls", ["deployment.failed", "deployment.recovered"]),
        ("fxls", ["deployment.failed"]),
        ("fsfs", ["deployment.failed", "deployment.recovered"] * 2),
    ],
)
def test_recovered_is_what_had_failed_before(phases: str, kinds: list[str]) -> None:
    world.deployment("chat")
    go(phases)
    assert told() == kinds


def test_one_that_flaps_is_told_at_most_every_ten_minutes_of_each_kind() -> None:
    world.deployment("chat")
    go("fs" * 20, step=0.5)
    for kind in ("deployment.failed", "deployment.recovered"):
        sent = list(Notice.objects.filter(kind=kind).order_by("send_at").values_list("send_at", "times"))
        assert [times for _, times in sent] == [1, 9, 10]
        assert sent[1][0] - sent[0][0] >= timedelta(minutes=10)


def test_a_whole_cluster_costs_as_many_statements_as_one_deployment() -> None:
    world.deployment("chat")

    def statements(count: int, first: int) -> int:
        moves = [
            Move(number, f"d-{number}", 1, "loading", after, "", "")
            for number in range(first, first + count)
            for after in (Phase.FAILED, Phase.SERVING)
        ]
        with CaptureQueriesContext(connection) as captured:
            tell(cluster(), moves, START)
        return len(captured)

    assert statements(1, 1000) == statements(300, 2000)


def test_a_pass_in_which_nothing_turns_costs_nothing() -> None:
    world.deployment("chat")
    place = cluster()
    with CaptureQueriesContext(connection) as captured:
        tell(place, [Move(1, "chat", 1, "queued", Phase.LOADING, "", "")], START)
    assert not captured.captured_queries

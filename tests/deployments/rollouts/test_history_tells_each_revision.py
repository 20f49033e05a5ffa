"""Which looks at a deployment its history keeps: another phase, or a new revision that begins in the same one."""

import pytest
from django.utils import timezone

from deployments.models import Observation, Transition
from deployments.observing.records import known_deployments, write
from deployments.seen import Evidence, Seen, Status
from deployments.vocabulary import Phase
from tests.deployments.rollouts.world import World

pytestmark = pytest.mark.django_db(transaction=True)


def told(world: World, phase: Phase, revision: int) -> list[tuple[int, str, str]]:
    """The history after one more look, as (revision, before, after)."""
    (known,) = known_deployments(world.cluster)
    now = timezone.now()
    seen = Seen(known.spec, revision, known.desired, known.changed_at, now)
    status = Status(phase, "Said.", "", "code", 1, 1, revision, None, (), (f"At {now}.",), Evidence(), now)
    write(world.cluster, [(known, seen, status)], now)
    return list(Transition.objects.order_by("at", "id").values_list("revision", "before", "after"))


def test_a_revision_that_begins_in_the_phase_of_the_one_before_is_told(world: World) -> None:
    world.create()
    told(world, Phase.UPDATING, 1)
    assert told(world, Phase.UPDATING, 1) == [(1, "", "queued"), (1, "queued", "updating")]
    assert told(world, Phase.UPDATING, 2)[-1] == (2, "updating", "updating")
    assert told(world, Phase.FAILED, 2)[-1] == (2, "updating", "failed")
    assert told(world, Phase.FAILED, 3)[-1] == (3, "failed", "failed")
    assert len(told(world, Phase.FAILED, 3)) == 5


@pytest.mark.parametrize("phase", [Phase.SERVING, Phase.STOPPED])
def test_a_revision_under_which_nothing_moves_has_no_rollout_to_tell(world: World, phase: Phase) -> None:
    world.create()
    before = told(world, phase, 1)
    assert told(world, phase, 2) == before
    assert Observation.objects.get().revision == 2


def test_what_is_noted_for_the_next_look_comes_back(world: World) -> None:
    world.create()
    (known,) = known_deployments(world.cluster)
    now = timezone.now()
    assert (known.last_revision, known.idle_since) == (1, None)
    seen = Seen(known.spec, 1, known.desired, known.changed_at, now, idle_since=now)
    status = Status(Phase.QUEUED, "", "", "", 0, 1, 1, None, (), (), Evidence(), now)
    write(world.cluster, [(known, seen, status)], now)
    (known,) = known_deployments(world.cluster)
    assert known.idle_since == now

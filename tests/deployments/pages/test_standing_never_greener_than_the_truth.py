"""What a page says follows from the last look, its age, and what was asked for since."""

import pytest
from django.utils import timezone

from deployments import desired
from deployments.models import Cluster, Deployment, Observation
from deployments.standing import Standing, standing_of, with_standing
from deployments.vocabulary import Phase
from tests.deployments.pages import world

pytestmark = pytest.mark.django_db

REFUSAL = {
    "code": "forbidden",
    "sentence": "The cluster refuses it.",
    "remedy": "Give the rights.",
    "terminal": True,
}


def stand(name: str = "chat") -> Standing:
    now = timezone.now()
    return standing_of(with_standing(Deployment.objects.all(), now).get(name=name), now)


@pytest.mark.parametrize("phase", [Phase.SERVING, Phase.LOADING, Phase.DEGRADED, Phase.FAILED])
def test_a_fresh_look_is_believed(phase: Phase) -> None:
    world.deployment(phase=phase, sentence="So it is.", remedy="Do this.")
    standing = stand()
    assert (standing.phase, standing.sentence, standing.remedy) == (phase, "So it is.", "Do this.")


def test_an_old_look_is_unknown_and_says_what_was_seen() -> None:
    world.deployment(phase=Phase.SERVING, seen=world.ago(seconds=61))
    standing = stand()
    assert standing.phase is Phase.UNKNOWN
    assert standing.needs_attention
    assert "then serving" in standing.sentence
    assert "worker" in standing.remedy


def test_a_cluster_out_of_reach_is_named_with_its_reason() -> None:
    world.deployment(phase=Phase.SERVING, seen=world.ago(seconds=90))
    Cluster.objects.update(unreachable_since=world.ago(seconds=80), unreachable_reason="Connection refused.")
    assert "fra-1" in stand().sentence
    assert "connection refused" in stand().sentence


def test_one_that_nobody_looked_at_is_queued_first_and_unknown_after_a_minute() -> None:
    made = world.deployment()
    Observation.objects.update(observed_at=None, phase=Phase.QUEUED)
    assert stand().phase is Phase.QUEUED
    Deployment.objects.filter(pk=made.pk).update(changed_at=world.ago(seconds=61))
    assert stand().phase is Phase.UNKNOWN
    Observation.objects.all().delete()
    assert stand().phase is Phase.UNKNOWN


def test_a_refusal_is_failed_whatever_still_serves() -> None:
    made = world.deployment(phase=Phase.SERVING)
    Deployment.objects.filter(pk=made.pk).update(refusal=REFUSAL)
    standing = stand()
    assert (standing.phase, standing.sentence, standing.remedy) == (
        Phase.FAILED,
        "The cluster refuses it.",
        "Give the rights.",
    )


def test_a_refusal_that_may_pass_is_told_without_calling_it_failed() -> None:
    made = world.deployment(phase=Phase.QUEUED)
    Deployment.objects.filter(pk=made.pk).update(refusal={**REFUSAL, "terminal": False})
    standing = stand()
    assert standing.phase is Phase.QUEUED
    assert standing.needs_attention
    assert standing.sentence == "The cluster refuses it."


def test_a_wish_shows_before_the_next_look() -> None:
    author = world.person()
    made = world.deployment(phase=Phase.SERVING)
    desired.stop(made, author=author)
    assert stand().phase is Phase.STOPPING
    assert "Ada Berg" in stand().sentence
    world.see(made, Phase.STOPPED)
    assert stand().phase is Phase.STOPPED
    desired.start(made, author=author)
    assert stand().phase is Phase.QUEUED
    desired.delete(made, author=author)
    assert stand().phase is Phase.DELETING


def test_a_new_revision_is_not_serving_until_it_was_seen() -> None:
    made = world.deployment(phase=Phase.SERVING)
    changed = world.spec("chat", description="Another one")
    desired.revise(made, changed, author=None, expected=1)
    assert stand().phase is Phase.UPDATING
    assert stand().sentence.startswith("Revision 2 was saved")
    world.see(made, Phase.SERVING, revision=2)
    assert stand().phase is Phase.SERVING


def test_a_restart_is_a_rollout_until_it_was_seen() -> None:
    made = world.deployment(phase=Phase.SERVING, seen=world.ago(seconds=5))
    desired.restart(made, author=world.person(), since=None)
    standing = stand()
    assert standing.phase is Phase.UPDATING
    assert "A restart was asked for" in standing.sentence
    assert "by Ada Berg" in standing.sentence
    world.see(made, Phase.SERVING)
    assert stand().phase is Phase.SERVING

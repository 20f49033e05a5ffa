"""A deployment whose cluster is gone loses its record, and what may be left behind is named."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from console.models import User
from deployments import desired, leftovers
from deployments.leftovers import GONE_AFTER, StillThere
from deployments.models import Cluster, Deployment
from deployments.spec import Autoscaling
from tests.deployments.pages.world import spec

pytestmark = pytest.mark.django_db
DETAILS = {
    "replicas": [{"name": "md-chat-0"}],
    "volumes": [{"name": "data-md-chat-0", "size": "100Gi"}, {"name": "data-md-chat-1", "size": "100Gi"}],
}


@pytest.fixture
def made() -> Deployment:
    return desired.create(spec(autoscaling=Autoscaling(True)), author=None)


def silent_for(span: timedelta) -> None:
    Cluster.objects.update(unreachable_since=timezone.now() - span, unreachable_reason="No answer.")


def test_with_its_cluster_gone_the_record_goes(made: Deployment, author: User) -> None:
    silent_for(GONE_AFTER)
    desired.abandon(made, author=author)
    assert not Deployment.objects.exists()


@pytest.mark.parametrize("wish", [desired.stop, desired.delete])
def test_whatever_was_wished_before(made: Deployment, author: User, wish) -> None:
    wish(made, author=author)
    silent_for(GONE_AFTER)
    desired.abandon(made, author=author)
    assert not Deployment.objects.exists()


@pytest.mark.parametrize("span", [None, timedelta(seconds=30)])
def test_a_cluster_that_answers_or_did_a_moment_ago_is_not_given_up(
    made: Deployment, author: User, span: timedelta | None
) -> None:
    if span:
        silent_for(span)
    with pytest.raises(StillThere, match="Delete chat there instead"):
        desired.abandon(made, author=author)
    assert Deployment.objects.get().current is not None


def test_what_stays_behind_is_named(made: Deployment) -> None:
    found = leftovers.of(Deployment.objects.with_everything_to_render().get(), DETAILS)
    assert found.objects == (
        ("Service", "md-chat--pods"),
        ("Service", "md-chat"),
        ("StatefulSet", "md-chat"),
        ("HorizontalPodAutoscaler", "md-chat"),
        ("Pod", "md-chat-0"),
        ("PersistentVolumeClaim", "data-md-chat-0"),
        ("PersistentVolumeClaim", "data-md-chat-1"),
    )


def test_one_command_removes_it_traffic_first_and_volumes_last(made: Deployment) -> None:
    found = leftovers.of(Deployment.objects.with_everything_to_render().get(), DETAILS)
    assert found.command == (
        "kubectl --namespace models delete \\\n"
        "  ingresses.networking.k8s.io,horizontalpodautoscalers.autoscaling,statefulsets.apps,services,secrets,"
        "persistentvolumeclaims \\\n"
        "  --selector slipway/deployment=chat"
    )


def test_a_command_is_given_even_when_the_objects_cannot_be_rendered(made: Deployment) -> None:
    current = made.current
    assert current is not None
    current.source = {**current.source, "kind": "ngc"}  # vLLM cannot load it
    current.save()
    found = leftovers.of(Deployment.objects.with_everything_to_render().get(), {})
    assert found.objects == ()
    assert "statefulsets.apps" in found.command
    assert found.command.endswith("--selector slipway/deployment=chat")

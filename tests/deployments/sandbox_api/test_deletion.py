"""Deleting: grace, finalizers, owners, volumes in use, namespaces."""

from datetime import timedelta
from typing import Any

import pytest

from deployments.sandbox import events
from deployments.sandbox.api.errors import ApiError
from deployments.sandbox.store import Store
from tests.deployments.sandbox_api.objects import MOMENT, claim, configmap, owned_by, pod, statefulset, store


def owner_with_pod(known: Store, *, scheduled: bool = True) -> dict[str, Any]:
    owner = known.create("statefulsets", "models", statefulset())
    known.create("pods", "models", pod("engine-0", owner=owner))
    if scheduled:
        known.update("pods", "models", "engine-0", lambda live: live["spec"].update(nodeName="node-1"))
    return owner


def names(known: Store, plural: str) -> list[str]:
    return [obj["metadata"]["name"] for obj in known.list(plural, "models")]


def test_a_pod_on_a_node_waits_for_the_kubelet() -> None:
    known = store()
    owner_with_pod(known)
    known.delete("pods", "models", "engine-0", grace_seconds=20)
    marked = known.get("pods", "models", "engine-0")
    assert marked is not None
    assert marked["metadata"]["deletionGracePeriodSeconds"] == 20
    assert marked["metadata"]["deletionTimestamp"] == "2026-05-04T03:02:21Z"
    known.finish_pod("models", "engine-0")
    assert names(known, "pods") == []


def test_a_pod_without_a_node_goes_at_once() -> None:
    known = store()
    owner_with_pod(known, scheduled=False)
    known.delete("pods", "models", "engine-0")
    assert names(known, "pods") == []


def test_a_pod_that_nobody_deleted_cannot_be_finished() -> None:
    known = store()
    owner_with_pod(known)
    with pytest.raises(ApiError):
        known.finish_pod("models", "engine-0")
    assert names(known, "pods") == ["engine-0"]


def test_in_the_background_the_owner_goes_first_and_the_pods_follow() -> None:
    known = store()
    owner_with_pod(known)
    known.delete("statefulsets", "models", "engine")
    assert names(known, "statefulsets") == []
    left = known.get("pods", "models", "engine-0")
    assert left is not None
    assert left["metadata"]["deletionTimestamp"]


def test_in_the_foreground_the_owner_waits_for_its_pods() -> None:
    known = store()
    owner_with_pod(known)
    known.delete("statefulsets", "models", "engine", "Foreground")
    waiting = known.get("statefulsets", "models", "engine")
    assert waiting is not None
    assert waiting["metadata"]["finalizers"] == ["foregroundDeletion"]
    known.finish_pod("models", "engine-0")
    assert names(known, "statefulsets") == []


def test_orphans_stay_and_lose_their_owner() -> None:
    known = store()
    owner_with_pod(known)
    known.delete("statefulsets", "models", "engine", "Orphan")
    orphan = known.get("pods", "models", "engine-0")
    assert orphan is not None
    assert "ownerReferences" not in orphan["metadata"]
    assert "deletionTimestamp" not in orphan["metadata"]


def test_an_object_with_two_owners_outlives_one_of_them() -> None:
    known = store()
    first = known.create("configmaps", "models", configmap("first"))
    second = known.create("configmaps", "models", configmap("second"))
    both = configmap("child")
    both["metadata"]["ownerReferences"] = [owned_by(first), owned_by(second)]
    known.create("configmaps", "models", both)
    known.delete("configmaps", "models", "first")
    assert names(known, "configmaps") == ["second", "child"]
    known.delete("configmaps", "models", "second")
    assert names(known, "configmaps") == []


def test_a_finalizer_holds_an_object_until_it_is_taken_off() -> None:
    known = store()
    held = configmap()
    held["metadata"]["finalizers"] = ["example.com/hold"]
    known.create("configmaps", "models", held)
    known.delete("configmaps", "models", "settings")
    assert names(known, "configmaps") == ["settings"]
    known.update("configmaps", "models", "settings", lambda live: live["metadata"].pop("finalizers"))
    assert names(known, "configmaps") == []


def test_a_volume_in_use_stays_until_its_pod_is_gone() -> None:
    known = store()
    known.create("persistentvolumeclaims", "models", claim("data"))
    volume = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
    known.create("pods", "models", pod("user", volumes=[volume]))
    known.delete("persistentvolumeclaims", "models", "data")
    assert names(known, "persistentvolumeclaims") == ["data"]
    known.delete("pods", "models", "user", grace_seconds=0)
    assert names(known, "persistentvolumeclaims") == []


def test_a_namespace_takes_everything_with_it_and_waits_for_running_pods() -> None:
    known = store()
    owner_with_pod(known)
    known.create("configmaps", "models", configmap())
    known.delete("namespaces", None, "models")
    space = known.get("namespaces", None, "models")
    assert space is not None
    assert space["status"]["phase"] == "Terminating"
    assert (names(known, "configmaps"), names(known, "statefulsets")) == ([], [])
    with pytest.raises(ApiError) as refused:
        known.create("configmaps", "models", configmap("late"))
    assert refused.value.status == 403
    known.finish_pod("models", "engine-0")
    assert known.get("namespaces", None, "models") is None


def test_repeated_events_are_counted_and_old_ones_forgotten() -> None:
    known = store()
    about = known.create("configmaps", "models", configmap())
    for _time in range(3):
        known.record_event(about, "Warning", "Failed", "it failed")
    known.record_event(about, "Warning", "Failed", "it failed otherwise")
    assert [event["count"] for event in known.list("events")] == [3, 1]
    known.now = lambda: MOMENT + timedelta(hours=2)
    events.expire(known)
    assert known.list("events") == []

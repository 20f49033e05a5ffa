"""What one pass lists and how it is put in order, from an API that the test plays."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from deployments import naming
from deployments.context import PLAIN_KUBERNETES, ClusterOffers
from deployments.kube import decode
from deployments.kube.errors import Retryable, Unreachable
from deployments.kube.kinds import (
    AUTOSCALER,
    GRAPH_V1ALPHA1,
    GRAPH_V1BETA1,
    NIM_SERVICE,
    POD,
    SCALED_OBJECT,
    STATEFUL_SET,
    Kind,
)
from deployments.observing.records import Known
from deployments.observing.sights import look, seen_of
from deployments.spec import DeploymentSpec
from deployments.vocabulary import DesiredState, Phase
from tests.deployments.status import operated
from tests.deployments.status.build import autoscaler, event, workload

EVERYTHING = ClusterOffers(("v1beta1", "v1alpha1"))


class Played:
    """Answers a list of objects by kind, events by the kind that they are about."""

    def __init__(self, found: Mapping[Kind | str, list[dict[str, Any]]], **failing: Exception) -> None:
        self.found, self.failing = found, failing
        self.asked: list[str] = []

    def list(self, kind: Kind, shape: type[Any], *, labels: str = "", fields: str = "") -> tuple[Any, ...]:
        about = fields.rpartition("=")[2]
        self.asked.append(about or f"{kind.api_version}/{kind.name}")
        if kind.name in self.failing:
            raise self.failing[kind.name]
        items = self.found.get(about or kind, [])
        return decode.read_list(shape, json.dumps({"items": items}).encode())


def ours(body: dict[str, Any], name: str = "chat") -> dict[str, Any]:
    body["metadata"].setdefault("labels", {})[naming.DEPLOYMENT_LABEL] = name
    return body


def known(spec: DeploymentSpec, **more: Any) -> Known:
    return Known(
        **{
            "pk": 1,
            "name": "chat",
            "namespace": "models",
            "spec": spec,
            "revision": 1,
            "desired": DesiredState.RUNNING,
            "changed_at": timezone.now(),
            "applied_revision": 1,
            "refusal": None,
            "last_phase": Phase.QUEUED,
            "last_wanted": 1,
            "last_revision": 1,
            "generation": 3,
            "digest": "",
            **more,
        }
    )


@pytest.mark.parametrize(
    ("offers", "requests"),
    [
        (PLAIN_KUBERNETES, 8),
        (ClusterOffers((), nim_operator=True, keda=False), 11),
        (ClusterOffers(("v1beta1",), nim_operator=False, keda=False), 11),
        (ClusterOffers((), nim_operator=False, keda=True), 9),
        (EVERYTHING, 14),
    ],
)
def test_a_pass_asks_as_many_questions_as_the_cluster_has_operators(
    offers: ClusterOffers, requests: int
) -> None:
    played = Played({})
    look(played, offers)  # type: ignore[arg-type]  # only `list` is asked for
    assert len(played.asked) == len(set(played.asked)) == requests


@pytest.mark.parametrize(
    ("versions", "kind"), [(("v1beta1", "v1alpha1"), GRAPH_V1BETA1), (("v1alpha1",), GRAPH_V1ALPHA1)]
)
def test_graphs_are_listed_in_one_version(versions: tuple[str, ...], kind: Kind) -> None:
    body = operated.graph(alpha=kind is GRAPH_V1ALPHA1)
    scene = look(Played({kind: [ours(body)]}), ClusterOffers(versions))  # type: ignore[arg-type]
    found = seen_of(known(operated.dynamo()), scene, timezone.now()).workload
    assert found is not None
    assert (found.kind, found.replicas) == ("DynamoGraphDeployment", 2)


def test_of_two_workloads_the_one_that_the_engine_runs_as_counts() -> None:
    both = Played({STATEFUL_SET: [ours(workload(1))], NIM_SERVICE: [ours(operated.service())]})
    scene = look(both, EVERYTHING)  # type: ignore[arg-type]
    now = timezone.now()
    assert seen_of(known(operated.nim()), scene, now).workload.kind == "NIMService"  # type: ignore[union-attr]
    left = look(Played({STATEFUL_SET: [ours(workload(1))]}), EVERYTHING)  # type: ignore[arg-type]
    assert seen_of(known(operated.nim()), left, now).workload.kind == "StatefulSet"  # type: ignore[union-attr]


def test_an_operator_whose_webhook_fails_concerns_only_its_own_deployments() -> None:
    failing = Retryable("Cannot list dynamographdeployments: conversion webhook failed.", status=500)
    played = Played({STATEFUL_SET: [ours(workload(1))]}, DynamoGraphDeployment=failing)
    scene = look(played, EVERYTHING)  # type: ignore[arg-type]
    now = timezone.now()
    assert "webhook failed" in seen_of(known(operated.dynamo()), scene, now).unreadable
    assert seen_of(known(operated.nim()), scene, now).unreadable == ""


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("DynamoGraphDeployment", Unreachable("No answer.")),
        ("StatefulSet", Retryable("Busy.", status=500)),
        ("Pod", Retryable("Busy.", status=500)),
    ],
)
def test_a_cluster_that_does_not_answer_is_silent_as_a_whole(kind: str, error: Exception) -> None:
    with pytest.raises(type(error)):
        look(Played({}, **{kind: error}), EVERYTHING)  # type: ignore[arg-type]


def test_an_autoscaler_of_keda_and_its_order_are_found() -> None:
    scaler = ours(autoscaler())
    scaler["metadata"]["labels"][naming.MANAGED_BY_LABEL] = "keda-operator"
    order = ours({"metadata": {"name": "md-chat", "namespace": "models"}, "status": {"conditions": []}})
    rescaled = event("SuccessfulRescale", "New size: 2", of="md-chat", kind="HorizontalPodAutoscaler")
    found = {AUTOSCALER: [scaler], SCALED_OBJECT: [order], "HorizontalPodAutoscaler": [rescaled]}
    seen = seen_of(known(operated.dynamo()), look(Played(found), EVERYTHING), timezone.now())  # type: ignore[arg-type]
    assert seen.autoscaler is not None
    assert seen.scaled_object is not None
    assert [each.reason for each in seen.events] == ["SuccessfulRescale"]


def test_events_of_replica_sets_go_to_the_deployment_whose_operator_made_them() -> None:
    one, other = operated.graph(), operated.graph()
    other["metadata"]["name"] = "md-chat--graph-b--graph"
    refused = [
        event("FailedCreate", "quota", of=name, kind="ReplicaSet")
        for name in ("md-chat--graph-worker-1a-5d6", "md-chat--graph-b--graph-worker-1a-5d6", "md-none-5d6")
    ]
    found = {GRAPH_V1BETA1: [ours(one), ours(other, "other")], "ReplicaSet": refused}
    scene = look(Played(found), EVERYTHING)  # type: ignore[arg-type]
    for name, made in (("chat", refused[0]), ("other", refused[1])):
        seen = seen_of(known(operated.dynamo(), name=name), scene, timezone.now())
        assert [each.involved_object.name for each in seen.events] == [made["involvedObject"]["name"]]


def test_since_when_an_operator_does_not_act_is_kept_until_it_acts() -> None:
    now = timezone.now()
    since = now - timedelta(minutes=5)
    idle = look(Played({GRAPH_V1BETA1: [ours(operated.graph(observed=2))]}), EVERYTHING)  # type: ignore[arg-type]
    assert seen_of(known(operated.dynamo()), idle, now).idle_since == now
    assert seen_of(known(operated.dynamo(), idle_since=since), idle, now).idle_since == since
    pods = [ours(operated.frontend()), ours(operated.worker())]
    acts = look(Played({GRAPH_V1BETA1: [ours(operated.graph())], POD: pods}), EVERYTHING)  # type: ignore[arg-type]
    assert seen_of(known(operated.dynamo(), idle_since=since), acts, now).idle_since is None


def test_events_of_a_pod_that_was_there_before_are_left_out() -> None:
    pod = ours(operated.frontend())
    name = pod["metadata"]["name"]
    old, new = (event("BackOff", which, of=name) for which in ("old", "new"))
    old["involvedObject"]["uid"], new["involvedObject"]["uid"] = "gone", pod["metadata"]["uid"]
    found = {GRAPH_V1BETA1: [ours(operated.graph())], POD: [pod], "Pod": [old, new]}
    seen = seen_of(known(operated.dynamo()), look(Played(found), EVERYTHING), timezone.now())  # type: ignore[arg-type]
    assert [each.message for each in seen.events] == ["new"]

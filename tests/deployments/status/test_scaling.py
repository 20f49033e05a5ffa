"""What is kept of the autoscaler for its page: figures, bounds, what it did last and why it cannot act."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from deployments.diagnosis import scaling
from deployments.kube import decode
from deployments.seen import Scaling
from deployments.spec import Autoscaling
from deployments.status import judge
from deployments.vocabulary import ScalingMetric
from tests.deployments.status.build import NOW, ago, autoscaler, event, pod, seen, spec, workload


def hpa(target: dict[str, Any], current: dict[str, Any], *conditions: dict[str, Any]) -> dict[str, Any]:
    made = autoscaler(*conditions)
    made["spec"]["metrics"] = [target]
    made["status"] |= {
        "currentMetrics": [current],
        "currentReplicas": 2,
        "desiredReplicas": 3,
        "lastScaleTime": ago(60),
    }
    return made


def resource(name: str, field: str, value: int) -> dict[str, Any]:
    return {"type": "Resource", "resource": {"name": name, field: {"averageUtilization": value}}}


def external(field: str, value: str) -> dict[str, Any]:
    return {
        "type": "External",
        "external": {"metric": {"name": "s0-prometheus"}, field: {"averageValue": value}},
    }


def read(made: dict[str, Any], metric: ScalingMetric = ScalingMetric.CPU, events: Any = ()) -> Scaling:
    wanted = replace(spec(1), autoscaling=Autoscaling(True, 1, 4, metric))
    shown = seen(pod(ready=True), wanted=wanted, of=workload(1), scaler=made, events=list(events))
    found = judge(shown, NOW).scaling
    assert found is not None
    return found


def test_a_share_of_the_request_is_told_in_percent() -> None:
    found = read(hpa(resource("cpu", "target", 80), resource("cpu", "current", 63)))
    assert (found.metric, found.unit, found.current, found.target) == ("cpu", "percent", 63.0, 80.0)
    assert (found.replicas, found.desired, found.minimum, found.maximum) == (2, 3, 1, 4)
    assert found.last_scaled_at is not None
    assert (found.capped, found.reason) == (False, "")


@pytest.mark.parametrize(
    ("metric", "unit"),
    [
        (ScalingMetric.REQUESTS_WAITING, "requests"),
        (ScalingMetric.CONCURRENCY, "requests"),
        (ScalingMetric.KV_CACHE, "percent"),
    ],
)
def test_figures_of_the_engine_come_as_quantities(metric: ScalingMetric, unit: str) -> None:
    found = read(hpa(external("target", "5"), external("current", "2345m")), metric)
    assert (found.unit, found.current, found.target) == (unit, 2.3, 5.0)


def test_a_figure_that_is_not_measured_is_none() -> None:
    assert read(autoscaler()).current is None
    assert read(hpa(resource("cpu", "target", 80), external("current", "<unknown>"))).current is None


def test_the_events_of_the_autoscaler_are_kept_newest_first() -> None:
    events = [
        event(
            "SuccessfulRescale",
            f"New size: {n}",
            of="md-chat",
            kind="HorizontalPodAutoscaler",
            seconds=90 - n,
        )
        for n in range(8)
    ]
    found = read(autoscaler(), events=[*events, event("Scheduled", "x")])
    assert [line.message for line in found.events] == [f"New size: {n}" for n in (7, 6, 5, 4, 3)]


def test_one_that_wants_more_than_it_may_is_capped() -> None:
    limited = {"type": "ScalingLimited", "status": "True", "reason": "TooManyReplicas"}
    assert read(autoscaler(limited)).capped
    assert not read(autoscaler(limited | {"reason": "ScaleDownLimit"})).capped


def test_since_when_it_is_capped_is_told() -> None:
    limited = {"type": "ScalingLimited", "status": "True", "reason": "TooManyReplicas"}
    found = read(autoscaler(limited | {"lastTransitionTime": ago(300)}))
    assert found.capped_since == NOW - timedelta(seconds=300)
    assert read(autoscaler()).capped_since is None


@pytest.mark.parametrize(
    ("reason", "message", "words"),
    [
        ("FailedGetResourceMetric", "unable to fetch", "metrics-server"),
        ("FailedGetResourceMetric", "missing request for cpu in container main", "Set a request"),
        ("FailedGetExternalMetric", "unable to get external metric", "Prometheus"),
        ("FailedGetScale", "not found", "does not work: not found"),
    ],
)
def test_one_that_cannot_act_says_why(reason: str, message: str, words: str) -> None:
    inactive = {"type": "ScalingActive", "status": "False", "reason": reason, "message": message}
    assert words in read(autoscaler(inactive)).reason


def test_keda_that_cannot_act_is_named() -> None:
    condition = decode.Condition("Ready", "False", "ScaledObjectCheckFailed", "no such target")
    broken = decode.ScaledObject(decode.Metadata(), decode.ScaledObjectStatus((condition,)))
    told = scaling.remark(None, broken)
    assert told == "KEDA cannot scale the replicas: no such target. Look at KEDA's operator in the cluster."
    fine = decode.ScaledObject(
        decode.Metadata(), decode.ScaledObjectStatus((decode.Condition("Ready", "True"),))
    )
    assert scaling.remark(None, fine) == ""


def test_details_hold_what_the_page_reads() -> None:
    wanted = replace(spec(1), autoscaling=Autoscaling(True))
    made = hpa(resource("cpu", "target", 80), resource("cpu", "current", 63))
    status = judge(seen(pod(ready=True), wanted=wanted, of=workload(1), scaler=made), NOW)
    assert status.to_mapping()["scaling"]["current"] == 63.0
    assert judge(seen(pod(ready=True)), NOW).to_mapping()["scaling"] is None

"""Failures on request."""

import time
from typing import Any

import pytest

from tests.deployments.sandbox_api.cluster import Cluster
from tests.deployments.sandbox_api.objects import configmap, pod


def maps(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps"


def test_an_error_comes_as_often_as_it_was_asked_for(api: Cluster, namespace: str, faults: Any) -> None:
    faults(
        match={"method": "POST", "path": "configmaps"}, times=2, status=429, retryAfter=1, message="slow down"
    )
    answers = [api.ask("POST", maps(namespace), configmap()) for _time in range(3)]
    assert [status for status, _body, _headers in answers] == [429, 429, 201]
    _status, body, headers = answers[0]
    assert (headers["retry-after"], body["message"], body["reason"]) == ("1", "slow down", "TooManyRequests")
    assert body["details"]["retryAfterSeconds"] == 1


def test_a_fault_leaves_other_requests_alone(api: Cluster, namespace: str, faults: Any) -> None:
    faults(match={"method": "PATCH", "path": "statefulsets"}, status=500)
    assert api.ask("POST", maps(namespace), configmap())[0] == 201
    assert api.ask("GET", "/sandbox/faults")[1]["faults"][0]["hits"] == 0


@pytest.mark.parametrize(("drop", "written"), [("before", False), ("after", True)])
def test_a_dropped_connection_gives_no_answer(
    api: Cluster, namespace: str, faults: Any, drop: str, written: bool
) -> None:
    faults(match={"method": "POST", "path": namespace}, times=1, drop=drop)
    with pytest.raises(OSError):  # noqa: PT011 - the system's own words for a lost connection differ
        api.ask("POST", maps(namespace), configmap())
    assert (api.ask("GET", f"{maps(namespace)}/settings")[0] == 200) is written


def test_a_delay_makes_a_request_late(api: Cluster, faults: Any) -> None:
    faults(match={"path": "/api/v1/nodes"}, times=1, delay=0.4)
    begun = time.monotonic()
    assert api.ask("GET", "/api/v1/nodes")[0] == 200
    assert time.monotonic() - begun >= 0.4


def test_admission_refuses_what_anybody_creates(api: Cluster, namespace: str, faults: Any) -> None:
    faults(admission="pods", message="no pods on Mondays", times=1)
    pods = f"/api/v1/namespaces/{namespace}/pods"
    status, body, _headers = api.ask("POST", pods, pod())
    assert status == 403
    assert body["message"] == 'admission webhook "sandbox.faults" denied the request: no pods on Mondays'
    assert api.ask("POST", pods, pod())[0] == 201


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"status": 200},
        {"drop": "sideways"},
        {"status": 500, "colour": 1},
        {"delay": -1},
        {"times": "x", "status": 500},
        [],
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(api: Cluster, wrong: Any) -> None:
    assert api.ask("POST", "/sandbox/faults", wrong)[0] == 400

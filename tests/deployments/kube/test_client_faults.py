"""What the client makes of a server that is slow, rude, broken or hostile."""

import time
from collections.abc import Iterator

import pytest

from deployments.kube import client as client_module
from deployments.kube import errors
from deployments.kube.client import Cluster, connect
from deployments.kube.decode import Event, Pod
from deployments.kube.kinds import EVENT, HTTP_ROUTE, POD, SERVICE
from deployments.kube.kubeconfig import ClusterAccess
from tests.faults.server import cuts, drips, faulty_server, refuses, resets, says, swallows

CANARY = "canary-token-1234567890"
NO_PODS = {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": []}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "CONNECT_SECONDS", 0.5)
    monkeypatch.setattr(client_module, "READ_SECONDS", 0.3)
    monkeypatch.setattr(client_module, "ANSWER_SECONDS", 0.6)


@pytest.fixture
def to(request: pytest.FixtureRequest) -> Iterator[object]:
    opened: list[Cluster] = []

    def open_client(url: str) -> Cluster:
        opened.append(connect(ClusterAccess(server=url, token=CANARY)))
        return opened[-1]

    yield open_client
    for cluster in opened:
        cluster.close()


@pytest.mark.parametrize(
    ("status", "message", "kind", "code"),
    [
        (401, "Unauthorized", errors.Unauthorised, "unauthorised"),
        (403, 'pods is forbidden: User "x" cannot list resource', errors.Forbidden, "forbidden"),
        (
            403,
            'pods "a" is forbidden: exceeded quota: gpus, requested: 2, used: 7, limited: 8',
            errors.QuotaExceeded,
            "quota",
        ),
        (
            403,
            'admission webhook "policy.example" denied the request: no latest',
            errors.AdmissionDenied,
            "admission",
        ),
        (
            400,
            'admission webhook "policy.example" denied the request: no latest',
            errors.AdmissionDenied,
            "admission",
        ),
        (404, 'pods "a" not found', errors.NotFound, "not-found"),
        (409, "the object has been modified", errors.Conflict, "conflict"),
        (422, "spec.replicas: Invalid value: -1", errors.Invalid, "invalid"),
        (429, "too many requests", errors.TooManyRequests, "too-many-requests"),
        (500, 'failed calling webhook "x": context deadline exceeded', errors.ServerError, "server-error"),
        (503, "apiserver is shutting down", errors.ServerError, "server-error"),
        (504, "timeout", errors.ServerError, "server-error"),
    ],
)
def test_each_refusal_has_its_own_kind_and_says_why(to, status, message, kind, code) -> None:
    with faulty_server(refuses(status, message)) as server, pytest.raises(errors.KubeError) as caught:
        to(server.url).list(POD, Pod)
    assert type(caught.value) is kind
    assert (caught.value.code, caught.value.status) == (code, status)
    assert status == 401 or message.rstrip(".") in caught.value.sentence


def test_the_servers_wish_to_wait_is_kept() -> None:
    with (
        faulty_server(refuses(429, "slow down", Retry_After="7")) as server,
        pytest.raises(errors.Retryable) as caught,
    ):
        connect(ClusterAccess(server=server.url)).version()
    assert caught.value.retry_after == 7


@pytest.mark.parametrize("wish", ["soon", "-3", "Wed, 21 Oct 2026 07:28:00 GMT", "٣"])
def test_a_wish_that_is_no_number_is_ignored(wish: str) -> None:
    error = errors.from_answer(503, {"Retry-After": wish}, b"", "list pods")
    assert isinstance(error, errors.Retryable)
    assert error.retry_after is None


def test_nothing_is_tried_twice(to) -> None:
    with faulty_server(refuses(500, "broken"), says(200, NO_PODS)) as server:
        with pytest.raises(errors.ServerError):
            to(server.url).list(POD, Pod)
        assert len(server.requests) == 1


@pytest.mark.parametrize("fault", [resets, swallows(1.0), cuts(b"x" * 1000, 10), drips(0.05)])
def test_broken_and_silent_connections_are_unreachable_in_time(to, fault) -> None:
    with faulty_server(fault) as server:
        cluster = to(server.url)
        cluster._client()  # importing the official client is not what is measured
        began = time.monotonic()
        with pytest.raises(errors.Unreachable) as caught:
            cluster.list(POD, Pod)
    assert time.monotonic() - began < 5
    assert CANARY not in str(caught.value)


def test_nobody_listening_is_unreachable(to) -> None:
    with faulty_server(resets) as server:
        url = server.url
    with pytest.raises(errors.Unreachable, match="refused"):
        to(url).version()


def test_redirects_are_not_followed(to) -> None:
    with (
        faulty_server(says(200, {"gitVersion": "v9"})) as inside,
        faulty_server(says(302, b"", Location=inside.url + "/version")) as server,
    ):
        with pytest.raises(errors.Unreadable, match="redirect"):
            to(server.url).version()
        assert inside.requests == []


def test_an_answer_without_end_is_cut_off(to, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "LARGEST_LIST", 10_000)
    with faulty_server(says(200, b" " * 2_000_000)) as server, pytest.raises(errors.TooLarge):
        to(server.url).list(POD, Pod)


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>sign in</html>", b"[]", b'{"items": 7}', b'{"items": [{"metadata": 3}]}', b"\xff\xfe"],
)
def test_what_is_no_kubernetes_answer_is_unreadable(to, body: bytes) -> None:
    with faulty_server(says(200, body)) as server, pytest.raises(errors.Unreadable):
        to(server.url).list(POD, Pod)


def test_a_foreign_body_and_the_token_stay_out_of_errors(to) -> None:
    body = f"<html>{CANARY} and a secret</html>".encode()
    with faulty_server(says(502, body)) as server, pytest.raises(errors.ServerError) as caught:
        to(server.url).list(POD, Pod)
    assert "502" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert CANARY not in repr(caught.value)


def test_a_long_message_is_cut(to) -> None:
    with faulty_server(refuses(422, "x" * 100_000)) as server, pytest.raises(errors.Invalid) as caught:
        to(server.url).list(POD, Pod)
    assert len(str(caught.value)) < 1000


def test_a_kind_that_the_cluster_does_not_know_is_an_empty_list(to) -> None:
    with faulty_server(says(404, b"404 page not found")) as server:
        assert to(server.url).list(HTTP_ROUTE, Pod) == ()
        with pytest.raises(errors.NotFound):
            to(server.url).list(SERVICE, Pod)


def test_a_name_that_turns_to_the_metadata_service_is_refused_on_connect(
    to, monkeypatch: pytest.MonkeyPatch
) -> None:
    from deployments.kube import transport

    answer = [(2, 1, 6, "", ("169.254.169.254", 443))]
    monkeypatch.setattr(transport.socket, "getaddrinfo", lambda *a, **k: answer)
    with pytest.raises(errors.RefusedAddress, match=r"169\.254"):
        to("http://cluster.example").version()


def test_the_token_is_sent_and_the_path_is_quoted(to) -> None:
    with faulty_server(says(200, {"kind": "Pod", "metadata": {"name": "x"}})) as server:
        to(server.url).get(POD, "models", "../../secrets?x#y")
        assert server.requests[0].headers["authorization"] == f"Bearer {CANARY}"
        assert server.requests[0].path == "/api/v1/namespaces/models/pods/..%2F..%2Fsecrets%3Fx%23y"


def test_proxies_of_the_environment_are_not_used(to, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    with faulty_server(says(200, {"gitVersion": "v1.34.1"})) as server:
        assert to(server.url).version() == "v1.34.1"


def test_texts_come_without_nul_characters_and_otherwise_as_they_are(to) -> None:
    event = {"metadata": {"name": "a"}, "message": "a\x00b and the six characters \\u0000"}
    with faulty_server(says(200, {"items": [event]})) as server:
        (found,) = to(server.url).list(EVENT, Event)
    assert found.message == "ab and the six characters \\u0000"
    with faulty_server(refuses(422, "a\x00b")) as server, pytest.raises(errors.Invalid, match="ab"):
        to(server.url).list(POD, Pod)

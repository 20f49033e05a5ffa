"""The log of a replica, from an API server that the test plays; silence and refusals are said, not thrown."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.test import Client

from deployments.models import Cluster, Observation
from deployments.vocabulary import Phase
from tests.deployments.pages import world

ADDRESS = "/deployments/chat/logs/"
REPLICAS = {
    "replicas": [
        {"name": "md-chat-0", "label": "Ready", "restarts": 2},
        {"name": "md-chat-1", "label": "Loading weights", "restarts": 0},
    ],
    "log": ["kept line"],
    "log_of": "md-chat-0",
}


@pytest.fixture
def api() -> Iterator[tuple[list[str], dict[str, tuple[int, str]]]]:
    """(requests it got, answers by pod)."""
    requests: list[str] = []
    answers: dict[str, tuple[int, str]] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append(self.path)
            status, body = answers.get(self.path.split("/")[6], (200, "INFO ready\nERROR gone\n"))
            data = body.encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain" if status == 200 else "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Tests are quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    world.deployment(phase=Phase.DEGRADED, wanted=2, details=REPLICAS)
    point_at(server.server_port)
    yield requests, answers
    server.shutdown()
    thread.join()
    server.server_close()


def point_at(port: int) -> None:
    cluster = Cluster.objects.get()
    user = {"name": "u", "user": {"token": "t"}}
    cluster.kubeconfig = json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
            "users": [user],
        }
    )
    cluster.save()


def refusal(status: int, message: str) -> tuple[int, str]:
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": status}
    return status, json.dumps(body)


def test_the_first_replica_is_shown_and_its_trouble_has_a_tone(ada, api, web: Client) -> None:
    requests, _ = api
    answer = web.get(ADDRESS)
    lines = answer.context["found"].lines
    assert [(line.text, line.tone and line.tone.value) for line in lines] == [
        ("INFO ready", None),
        ("ERROR gone", "bad"),
    ]
    assert "/pods/md-chat-0/log" in requests[0]
    assert "tailLines=200" in requests[0]


def test_another_replica_and_the_run_before_can_be_chosen(ada, api, web: Client) -> None:
    requests, _ = api
    web.get(ADDRESS + "?replica=md-chat-1&previous=1")
    assert "/pods/md-chat-1/log" in requests[0]
    assert "previous=true" in requests[0]


def test_the_engine_is_asked_for_by_its_container_where_a_pod_has_several(ada, api, web: Client) -> None:
    requests, _ = api
    with_sidecar = [REPLICAS["replicas"][0] | {"container": "main"}, REPLICAS["replicas"][1]]
    Observation.objects.update(details=REPLICAS | {"replicas": with_sidecar})
    web.get(ADDRESS)
    web.get(ADDRESS + "?replica=md-chat-1")
    assert "container=main" in requests[0]
    assert "container=" not in requests[1]


def test_only_replicas_of_this_deployment_are_asked_for(ada, api, web: Client) -> None:
    requests, _ = api
    web.get(ADDRESS + "?replica=../../secrets")
    web.get(ADDRESS + "?replica=md-other-0")
    assert all("/pods/md-chat-0/log" in request for request in requests)


def test_control_characters_do_not_reach_the_page(ada, api, web: Client) -> None:
    _, answers = api
    answers["md-chat-0"] = (200, "\x1b[31mred\x1b[0m\x07 <b>\n")
    page = web.get(ADDRESS).content.decode()
    assert "red &lt;b&gt;" in page
    assert "\x1b" not in page


def test_a_replica_without_output_is_said(ada, api, web: Client) -> None:
    _, answers = api
    answers["md-chat-0"] = refusal(400, "container is waiting to start: ContainerCreating")
    assert "No output yet" in web.get(ADDRESS).content.decode()
    answers["md-chat-0"] = refusal(404, "pods md-chat-0 not found")
    assert "md-chat-0 is gone" in web.get(ADDRESS).content.decode()


def test_a_cluster_out_of_reach_is_said_with_the_lines_that_were_kept(
    ada, api, web: Client, free_port: int
) -> None:
    point_at(free_port)
    page = web.get(ADDRESS).content.decode()
    assert "The log cannot be read" in page
    assert "connection is refused" in page
    assert "kept line" in page


def test_a_refresh_brings_only_the_log(ada, api, web: Client) -> None:
    part = web.get(ADDRESS, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in part
    assert "INFO ready" in part


def test_without_replicas_the_page_says_when_a_log_begins(web: Client) -> None:
    world.deployment(phase=Phase.QUEUED, ready=0)
    assert "No replica to read from" in web.get(ADDRESS).content.decode()


@pytest.fixture
def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

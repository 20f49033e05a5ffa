"""One look at the engines that are there, over real HTTP: those that answer are read, and no other one holds it up."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from django.utils import timezone

from deployments.models import Observation
from deployments.sandbox.engines.engine_config import DynamoPart, EngineConfig
from deployments.spec import EngineSpec
from deployments.vocabulary import Engine
from metering import tasks
from metering.engine_metrics import door, looking
from metering.engine_metrics.door import Place
from metering.models import EngineCounter, EngineMinute
from tests.deployments.pages import world
from tests.deployments.sandbox_engines.conftest import QUICK
from tests.deployments.sandbox_engines.running import Running, running
from tests.metering.engine_metrics import pages

_QUESTION = {
    "model": "demo",
    "messages": [{"role": "user", "content": "Hello"}],
    "max_tokens": 7,
    "ignore_eos": True,
}


def ask(engine: Running) -> None:
    httpx.post(f"{engine.url}/v1/chat/completions", json=_QUESTION, timeout=10).raise_for_status()


@contextlib.contextmanager
def speaking(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that does with each connection what a test says, after it has read a request; its base URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection, contextlib.suppress(OSError):
                        connection.recv(4096)
                        answer(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def saying(content: bytes) -> Callable[[socket.socket], None]:
    return lambda connection: connection.sendall(content)


def page(content: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + content


@pytest.mark.django_db
def test_the_sandboxs_own_vllm_is_read_for_both_who_keep_what_it_says() -> None:
    deployment = world.deployment("chat")
    with running(QUICK) as engine:
        Observation.objects.update(upstreams=[engine.url])
        now = timezone.now()
        assert looking.look(now) == 1
        ask(engine)
        assert looking.look(now + timedelta(minutes=1)) == 1
    before, after = EngineMinute.objects.order_by("minute")
    assert (before.deployment_id, before.upstream) == (deployment.pk, engine.url)
    assert (before.running, before.waiting, before.kv_use) == (0, 0, 0.0)
    assert before.generation_tokens is None
    assert after.generation_tokens == 7
    assert after.prompt_tokens
    assert after.preemptions == 0
    counter = EngineCounter.objects.get()
    assert (counter.input_tokens, counter.output_tokens) == (after.prompt_tokens, 7)


@pytest.mark.django_db
@pytest.mark.parametrize("flavour", ["nim1", "nim2"])
def test_a_nim_is_read_at_its_own_path_whatever_its_line(flavour: str) -> None:
    world.deployment("chat", engine=EngineSpec(Engine.NIM, "nvcr.io/nim/meta/llama-3.1-8b-instruct", "1.8.4"))
    with running(replace(QUICK, flavour=flavour, release="2.0.5")) as engine:
        Observation.objects.update(upstreams=[engine.url])
        ask(engine)
        assert looking.look(timezone.now()) == 1
    minute = EngineMinute.objects.get()
    assert minute.generation_tokens_read == 7
    assert (minute.prefix_hits_read is None) == (flavour == "nim1")


@pytest.mark.django_db
def test_a_frontend_of_dynamo_is_read_and_the_ledger_is_not_held_against_it() -> None:
    world.deployment("chat")
    space = "models-md-qwen--graph"
    with running(EngineConfig((space,), "", dynamo=DynamoPart("frontend", space))) as frontend:
        worker = replace(QUICK, dynamo=DynamoPart("worker", space, "vllm"))
        frontend.call(lambda: frontend.engines.open("pod/worker", worker, frontend.lines.append))
        ask(frontend)
        Observation.objects.update(upstreams=[frontend.url])
        assert looking.look(timezone.now()) == 1
    minute = EngineMinute.objects.get()
    assert (minute.generation_tokens_read, minute.waiting, minute.kv_use) == (7, None, None)
    assert not EngineCounter.objects.exists()


@pytest.mark.django_db
def test_what_is_not_on_loopback_or_does_not_answer_is_left_out() -> None:
    world.deployment("chat")
    with speaking(saying(page(pages.VLLM))) as url:
        elsewhere = ["http://127.0.0.1:9", "http://169.254.169.254:80", "http://example.com:80"]
        Observation.objects.update(upstreams=[url, url, *elsewhere])
        assert looking.look(timezone.now()) == 1
    assert EngineMinute.objects.get().running == 4


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\n\r\n" + pages.VLLM,
        b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 10,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n",
        page(b"<html>no metrics here</html>"),
        page(b"\x00\xff" * 4000),
    ],
)
def test_an_answer_that_is_none_is_no_reading_and_no_error(content: bytes) -> None:
    with speaking(saying(content)) as broken, speaking(saying(page(pages.VLLM))) as good:
        found = door.read([Place(1, broken), Place(1, good)], timezone.now())
    assert [reading.place.upstream for reading in found] == [good]


def test_an_engine_leads_nowhere_else() -> None:
    asked: list[int] = []

    def count(connection: socket.socket) -> None:
        asked.append(1)
        connection.sendall(page(pages.VLLM))

    with speaking(count) as other:
        away = f"HTTP/1.1 302 Found\r\nLocation: {other}/metrics\r\nContent-Length: 0\r\n\r\n".encode()
        with speaking(saying(away)) as url:
            assert door.read([Place(1, url)], timezone.now()) == []
    assert not asked


def test_a_page_without_end_is_read_up_to_its_largest_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "LARGEST_PAGE", 200_000)
    written: list[int] = []

    def endless(connection: socket.socket) -> None:
        connection.sendall(page(pages.VLLM))
        while len(written) < 5000:
            connection.sendall(b"# a comment\n" * 1000)
            written.append(1)

    with speaking(endless) as url:
        (reading,) = door.read([Place(1, url)], timezone.now())
    assert reading.figures.running == 4
    assert len(written) < 5000, "it was read to its end"


def test_a_page_that_comes_byte_by_byte_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "PATIENCE", 0.3)
    ended = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.sendall(page(b""))
        try:
            for _ in range(2000):
                connection.sendall(b"#")
                time.sleep(0.01)
        except OSError:
            ended.set()

    with speaking(drip) as url:
        assert door.read([Place(1, url)], timezone.now()) == []
        assert ended.wait(10), "the connection was kept"


def test_no_page_is_begun_when_the_time_of_a_look_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    with speaking(saying(page(pages.VLLM))) as url:
        assert len(door.read([Place(1, url)], timezone.now())) == 1
        monkeypatch.setattr(door, "MOST_TIME", -1.0)
        assert door.read([Place(1, url)], timezone.now()) == []


@pytest.mark.django_db
def test_the_tasks_call_the_look_and_the_closing() -> None:
    world.deployment("chat")
    with running(QUICK) as engine:
        Observation.objects.update(upstreams=[engine.url])
        tasks.read_engine_metrics()
    tasks.close_engine_hours()
    assert EngineMinute.objects.count() == 1

"""E18: a gateway told to stop, or killed, under load: the first breaks no answer, and neither loses a token."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Callable

import httpx
import redis

from metering.events import STREAM, Event
from metering.gateway.recorder import FIGURES_KEY
from metering.vocabulary import RequestStatus
from tests.faults.proxy import Fault, fault_proxy
from tests.metering.gateway import world
from tests.metering.gateway.engine import Engine, Script
from tests.metering.gateway.world import BOB, GatewayProcess, events

Make = Callable[..., GatewayProcess]


class Load:
    """Clients who ask without end; what became of each request."""

    def __init__(self, gateway: GatewayProcess, clients: int = 12) -> None:
        self.complete = self.refused = self.broken = 0
        self.received: Counter[str] = Counter()
        """Lines with text that came, by request."""
        self._gateway = gateway
        self._is_over = False
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(clients)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._is_over = True
        for thread in self._threads:
            thread.join()

    def _ask(self, number: int) -> None:
        body = {"model": "chat", "messages": [{"role": "user", "content": "a b c"}], "stream": number % 3 > 0}
        with httpx.Client(headers={"Authorization": f"Bearer {BOB}"}, timeout=20) as client:
            while not self._is_over:
                try:
                    with client.stream(
                        "POST", f"{self._gateway.url}/v1/chat/completions", json=body
                    ) as answer:
                        name = answer.headers["x-request-id"].removeprefix("req_")
                        for line in answer.iter_lines():
                            self.received[name] += '" w' in line  # a word, as the engine says them
                except httpx.ConnectError:
                    return
                except httpx.TransportError:
                    self.broken += 1
                    return
                if answer.status_code != 200:
                    self.refused += 1
                    return
                self.complete += 1


def by_status(found: list[Event]) -> dict[RequestStatus, list[Event]]:
    return {status: [each for each in found if each.status is status] for status in RequestStatus}


def test_a_gateway_that_is_told_to_stop_finishes_what_it_has_begun(
    gateways: Make, engine: Engine, valkey: redis.Redis
) -> None:
    """E18, SIGTERM: 0 failed in flight; the events equal the engine's own books to the last token."""
    engine.script = Script(tokens=30, itl=0.01)
    gateway = gateways(world.snapshot([world.route("chat", engine.url)]))
    load = Load(gateway)
    time.sleep(1.0)
    assert gateway.stop() == 0, gateway.log
    load.stop()
    assert load.complete > 20
    found = events(valkey, load.complete)
    # Whoever was let in got all of the answer. A connection that the kernel had made and nobody had taken yet, when the
    # door was closed, was not let in; the official client tries such ones again.
    assert len(found) == load.complete
    assert {each.status for each in found} == {RequestStatus.COMPLETED}
    assert len({each.id for each in found}) == len(found) == len(engine.seen)
    assert (sum(e.input_tokens for e in found), sum(e.output_tokens for e in found)) == engine.totals()
    assert not any(path.suffix in (".journal", ".spool") for path in gateway.folder.iterdir())


def test_a_gateway_that_cannot_wait_any_longer_says_so_and_bills_what_came(
    gateways: Make, engine: Engine, valkey: redis.Redis
) -> None:
    engine.script = Script(tokens=5000, itl=0.01)
    gateway = gateways(world.snapshot([world.route("chat", engine.url)]), GATEWAY_DRAIN_SECONDS="0.3")
    answers: list[httpx.Response] = []
    asking = threading.Thread(target=lambda: answers.append(gateway.ask(stream=True)))
    asking.start()
    time.sleep(0.5)
    assert gateway.stop() == 0
    asking.join()
    assert world.chunks(answers[0].text)[-1]["error"]["code"] == "engine_failed"
    (event,) = events(valkey, 1)
    assert event.status is RequestStatus.ENGINE_FAILED
    assert 0 <= engine.seen[0].generated - event.output_tokens <= 2


def test_a_killed_gateway_leaves_its_requests_to_the_next_one(
    gateways: Make, engine: Engine, valkey: redis.Redis
) -> None:
    """E18, SIGKILL under load, three times: every admitted request is one event; what was completed is exact, and of
    what was under way the ledger has what the gateway had seen."""
    engine.script = Script(tokens=20, itl=0.01)
    known = world.snapshot([world.route("chat", engine.url)])
    gateway = gateways(known)
    complete = broken = 0
    received_by: Counter[str] = Counter()
    for _ in range(3):
        load = Load(gateway)
        time.sleep(0.7)
        gateway.stop(signal.SIGKILL)
        load.stop()
        complete, broken = complete + load.complete, broken + load.broken
        received_by += load.received
        gateway.start()
    assert broken > 3
    deadline = time.monotonic() + 10
    while len(_journals(gateway)) > 1:  # the one that lives has one of its own
        assert time.monotonic() < deadline
        time.sleep(0.05)
    found = events(valkey, 0)
    unique = {each.id: each for each in found}
    ends = by_status(list(unique.values()))
    seen = {each.headers["x-request-id"]: each for each in engine.seen}
    assert len(ends[RequestStatus.COMPLETED]) >= complete
    assert seen.keys() <= unique.keys(), "a request that reached the engine is in the ledger"
    for event in unique.values():
        books = seen.get(event.id)
        if event.status is RequestStatus.COMPLETED:
            assert books is not None
            assert (event.input_tokens, event.output_tokens) == (books.prompt, books.generated)
        elif books is not None:
            assert event.status is RequestStatus.ENGINE_FAILED
            # What is on its way between two processes when one is killed reaches nobody, and then nobody pays.
            received = received_by[event.id] if books.body["stream"] else 0
            assert received <= event.output_tokens <= books.generated
            assert event.input_tokens == (books.prompt if event.output_tokens else event.input_tokens)
    failed = ends[RequestStatus.ENGINE_FAILED]
    assert len(failed) > 3
    assert sum(received_by[each.id] for each in failed) > 3


def _journals(gateway: GatewayProcess) -> list[str]:
    return [path.name for path in gateway.folder.iterdir() if path.suffix == ".journal"]


def test_usage_waits_on_disk_while_valkey_is_away(
    gateways: Make, engine: Engine, valkey: redis.Redis
) -> None:
    """E5: Valkey away for a while under load; no client notices, and afterwards the events are exact."""
    path = valkey.connection_pool.connection_kwargs["path"]
    with fault_proxy(path) as proxy:
        known = world.snapshot([world.route("chat", engine.url)])
        gateway = gateways(known, REDIS_URL=f"redis://127.0.0.1:{proxy.port}/0")
        load = Load(gateway, clients=6)
        time.sleep(0.4)
        proxy.set(Fault.SWALLOW)
        time.sleep(0.8)
        proxy.set(Fault.REFUSE)
        time.sleep(0.8)
        assert gateway.figures()["slipway_gateway_events_in_spool"] > 0
        proxy.set(Fault.PASS)
        time.sleep(0.4)
        load.stop()
        assert (load.broken, load.refused) == (0, 0)
        found = {each.id: each for each in events(valkey, load.complete, patience=30)}
        assert len(found) == load.complete == len(engine.seen)
        assert (
            sum(e.input_tokens for e in found.values()),
            sum(e.output_tokens for e in found.values()),
        ) == engine.totals()
        deadline = time.monotonic() + 10
        while gateway.figures()["slipway_gateway_events_in_spool"]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert gateway.stop() == 0


def test_a_killed_gateways_spool_is_brought_in_by_the_next_one(
    gateways: Make, engine: Engine, valkey: redis.Redis
) -> None:
    """E5 and E18 together: Valkey away, and the gateway killed before it is back."""
    known = world.snapshot([world.route("chat", engine.url)])
    gateway = gateways(known, REDIS_URL="unix:///nonexistent/valkey.sock?db=0")
    for _ in range(5):
        assert gateway.ask().status_code == 200
    time.sleep(0.1)
    gateway.stop(signal.SIGKILL)
    assert not valkey.exists(STREAM)
    gateway.environment.pop("REDIS_URL")
    gateway.start()
    found = events(valkey, 5, patience=8)
    assert (len(found), sum(each.output_tokens for each in found)) == (5, engine.totals()[1])


def test_a_gateways_own_figures_add_up(gateways: Make, engine: Engine, valkey: redis.Redis) -> None:
    gateway = gateways(world.snapshot([world.route("chat", engine.url)]))
    for _ in range(4):
        gateway.ask()
    gateway.stop()
    all_of_them = [valkey.hgetall(name) for name in valkey.keys(f"{FIGURES_KEY}*")]
    (figures,) = [found for found in all_of_them if found[b"admitted"] == b"4"]
    assert [figures[name] for name in (b"settled", b"in_flight", b"spooled")] == [b"4", b"0", b"0"]

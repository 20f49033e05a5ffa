"""The gateway against a direct call to the same engine, its own bare relay, Envoy and LiteLLM.

Rounds of all of them take turns, so that a busy machine is busy for each; what is printed are medians over the rounds.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import redis
import uvloop
from django.conf import settings

from console.local.family import Family
from metering.limiter import EPOCH_KEY
from tests.bench.load import Load, Question
from tests.bench.targets import ENVOY, LITELLM, Target, Workshop

#: Seconds of a sample, and before it, until everything is warm.
_ROUNDS, _SECONDS, _WARM = 5, 1.5, 0.4
#: Where two processes of the same program lie in memory makes a tenth of what a chunk costs, so it is asked of so many.
_ALIKE = 3
_CONNECTIONS, _MANY_STREAMS = 16, 500
_WHOLE = Question()
_WORK = Question(work_ms=10)
"""What an engine does not do in no time: 10 ms are a few tokens of a small model."""
_STREAM = Question(stream=True, tokens=100_000, pace_ms=5)
_PACED = Question(stream=True, tokens=100_000, pace_ms=20)
_MANY = Question(stream=True, tokens=60, pace_ms=100)
_SOAK = int(os.environ.get("SLIPWAY_BENCH_SOAK", "100000"))
"""Requests over which memory has to stay flat."""

Sizes = dict[str, float]


class Sample(NamedTuple):
    """What happened in some seconds of load."""

    requests: int
    frames: int
    cpu: float
    seconds: float
    half: float
    """Median seconds of a request."""
    late: float
    """99th percentile of what was added between two frames, in seconds."""


def measure() -> Iterator[tuple[str, object]]:
    """Ratios and counts first; then the times that they are of, in microseconds."""
    with Family() as family, tempfile.TemporaryDirectory() as folder:
        client = redis.Redis.from_url(settings.REDIS_URL)
        client.flushall()
        # As if it had run for long: a gateway does not trust the history of a new one for a minute.
        client.set(EPOCH_KEY, int((time.time() - 3600) * 1000))
        workshop = Workshop(family, Path(folder))
        engine = workshop.engine()
        gateways = [workshop.gateway(engine) for _ in range(_ALIKE)]
        relays = [workshop.relay(engine) for _ in range(_ALIKE)]
        gateway, relay, more = gateways[0], relays[0], [*gateways[1:], *relays[1:]]
        envoy, litellm = workshop.envoy(engine), workshop.litellm(engine)
        for target, where in ((envoy, ENVOY), (litellm, LITELLM)):
            if target is None:
                print(f"{where} is not set: not measured", file=sys.stderr)
        targets = [each for each in (engine, gateway, relay, envoy, litellm) if each]
        for each in (*targets, *more):
            for question in (_WHOLE, Question(stream=True)):
                _ask(each, question, 20, connections=2)  # the first ones load what is loaded late
        yield from _costs(targets, more)
        yield from _round_trips(gateway, client)
        yield from _lost_frames([engine, gateway])
        yield from _memory(gateway)
        client.flushall()
        client.close()


def _costs(targets: Sequence[Target], more: Sequence[Target]) -> Iterator[tuple[str, object]]:
    """Of one of each, and of a chunk with `more` of them."""
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for number in range(_ROUNDS):
        for target in _turned(targets, number):
            whole = _sample(target, _WHOLE, _CONNECTIONS)
            found["request_cpu"][target.name].append(whole.cpu / whole.requests)
            found["requests_per_second"][target.name].append(whole.requests / whole.seconds)
            found["p50_alone"][target.name].append(_sample(target, _WHOLE, 1).half)
            if target.name in ("direct", "gateway"):
                found["p50_alone_at_work"][target.name].append(_sample(target, _WORK, 1).half)
            paced = _sample(target, _PACED, target.streams, timed=True)
            found["added_between_frames_p99"][target.name].append(paced.late)
        for target in _turned([*targets, *more], number):
            with _apart(target, targets[0]):
                stream = _sample(target, _STREAM, target.streams)
            found["chunk_cpu"][target.name].append(stream.cpu / stream.frames)
    middle = {
        what: {name: statistics.median(values) for name, values in by.items()} for what, by in found.items()
    }
    yield from _ratios(middle)
    for what in ("request_cpu", "chunk_cpu", "p50_alone", "p50_alone_at_work", "added_between_frames_p99"):
        for name, value in middle[what].items():
            yield f"{what}_us.{name}", f"{value * 1e6:.1f}"
    for name, value in middle["requests_per_second"].items():
        yield f"requests_per_second.{name}", round(value)


@contextlib.contextmanager
def _apart(target: Target, engine: Target) -> Iterator[None]:
    """The target on a core of its own: what it costs is then its own work, not how often the others interrupt it."""
    cores = os.sched_getaffinity(0)
    others = cores - {max(cores)}
    if target is engine or not others:
        yield
        return
    target.keep_to({max(cores)})
    engine.keep_to(others)
    os.sched_setaffinity(0, others)
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)
        for each in (target, engine):
            each.keep_to(cores)


def _turned(targets: Sequence[Target], number: int) -> list[Target]:
    """Each begins a round once."""
    first = number % len(targets)
    return [*targets[first:], *targets[:first]]


def _ratios(middle: dict[str, Sizes]) -> Iterator[tuple[str, object]]:
    request, chunk, alone = middle["request_cpu"], middle["chunk_cpu"], middle["p50_alone"]
    late = middle["added_between_frames_p99"]
    yield "chunk_cpu.of_relay", f"{chunk['gateway'] / chunk['relay']:.2f}"
    if "envoy" in chunk:
        yield "chunk_cpu.of_envoy", f"{chunk['gateway'] / chunk['envoy']:.2f}"
        yield "request_cpu.of_envoy", f"{request['gateway'] / request['envoy']:.2f}"
    if "litellm" in request:
        yield "request_cpu.litellm_of_gateway", f"{request['litellm'] / request['gateway']:.1f}"
        yield "chunk_cpu.litellm_of_gateway", f"{chunk['litellm'] / chunk['gateway']:.1f}"
    yield "request_cpu.of_relay", f"{request['gateway'] / request['relay']:.2f}"
    yield "p50_alone.of_direct", f"{alone['gateway'] / alone['direct']:.2f}"
    if "envoy" in alone:
        yield "p50_alone.envoy_of_direct", f"{alone['envoy'] / alone['direct']:.2f}"
    work = middle["p50_alone_at_work"]
    yield "p50_alone_at_work.of_direct", f"{work['gateway'] / work['direct']:.2f}"
    pace = _PACED.pace_ms / 1000
    yield "added_between_frames_p99.of_pace", f"{(late['gateway'] - late['direct']) / pace:.4f}"


def _sample(target: Target, question: Question, connections: int, *, timed: bool = False) -> Sample:
    async def run() -> Sample:
        load = Load(target.url, target.key, question, connections, timed=timed)
        async with load:
            await asyncio.sleep(_WARM)
            counts = load.counts
            requests, frames, cpu, began = (
                counts.requests,
                counts.frames,
                target.cpu_seconds(),
                time.monotonic(),
            )
            counts.seconds.clear()
            counts.added.clear()
            await asyncio.sleep(_SECONDS)
            sample = Sample(
                requests=counts.requests - requests,
                frames=counts.frames - frames,
                cpu=target.cpu_seconds() - cpu,
                seconds=time.monotonic() - began,
                half=statistics.median(counts.seconds or [0.0]),
                late=statistics.quantiles(counts.added, n=100)[98] if len(counts.added) > 1 else 0.0,
            )
        if counts.lost or set(counts.answers) - {200}:
            raise SystemExit(f"{target.name}: {dict(counts.answers)}, {counts.lost} lost")
        if not (sample.frames if question.stream else sample.requests):
            raise SystemExit(f"{target.name} answered nothing")
        return sample

    return uvloop.run(run())


def _round_trips(gateway: Target, client: redis.Redis) -> Iterator[tuple[str, object]]:
    """What one request after the other asks of Valkey. Events and settlements go in batches that nobody waits for."""
    before, requests = _statistics(client), 500
    _ask(gateway, _WHOLE, requests, connections=1)
    time.sleep(0.5)
    after = _statistics(client)
    for what in ("evalsha", "xadd", "reads"):
        yield f"valkey.{what}_per_request", f"{(after[what] - before[what]) / requests:.2f}"
    before = _statistics(client)
    _ask(gateway, _WHOLE, 4000, connections=_CONNECTIONS)
    after = _statistics(client)
    yield "valkey.reads_per_request_under_load", f"{(after['reads'] - before['reads']) / 4000:.2f}"
    yield "valkey.cpu_us_per_request", f"{(after['cpu_us'] - before['cpu_us']) / 4000:.1f}"


def _statistics(client: redis.Redis) -> dict[str, float]:
    info: Any = client.info("everything")
    found = {name: info.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("evalsha", "xadd")}
    cpu = info["used_cpu_user"] + info["used_cpu_sys"]
    return {**found, "reads": info["total_reads_processed"], "cpu_us": cpu * 1e6}


def _ask(target: Target, question: Question, count: int, connections: int) -> None:
    async def run() -> None:
        async with Load(target.url, target.key, question, connections) as load:
            while load.counts.requests < count:
                await asyncio.sleep(0.002)
        if load.counts.lost or set(load.counts.answers) - {200}:
            raise SystemExit(f"{target.name}: {dict(load.counts.answers)}, {load.counts.lost} lost")

    uvloop.run(run())


def _lost_frames(targets: Sequence[Target]) -> Iterator[tuple[str, object]]:
    async def run(target: Target) -> int:
        async with Load(target.url, target.key, _MANY, _MANY_STREAMS, once=True) as load:
            await load.finish(60)
        return _MANY_STREAMS * _MANY.tokens - load.counts.frames

    for target in targets:
        yield f"lost_frames_of_{_MANY_STREAMS * _MANY.tokens}.{target.name}", uvloop.run(run(target))


def _memory(gateway: Target) -> Iterator[tuple[str, object]]:
    """Streams do not add to it either: those of the rounds before are in the first reading."""
    _ask(gateway, _WHOLE, _SOAK // 10, _CONNECTIONS)
    before = gateway.memory()
    _ask(gateway, _WHOLE, _SOAK, _CONNECTIONS)
    after = gateway.memory()
    yield "memory.after_of_before", f"{after / before:.3f}"
    yield "memory.grown_kib", (after - before) // 1024
    yield "memory.requests_between", _SOAK

"""The simulated engine behind the HTTP door: a queue, a batch of limited size, a prefix cache, and time.

A request waits for one of `max_num_seqs` places, then its first token takes the prompt's time and the others one
inter-token latency each. All numbers of the metrics page come from here.
"""

from __future__ import annotations

import asyncio
import itertools
import time
import zlib
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

from deployments.sandbox.engines.engine_config import EngineConfig
from deployments.sandbox.engines.engine_metrics import EngineMetrics
from deployments.sandbox.engines.engine_text import natural_length, pieces

_CACHED_BLOCKS = 20_000
_STATS_SECONDS = 10.0


class EngineDead(Exception):
    """The engine process has died; nothing will be answered any more."""


class ShuttingDown(Exception):
    """The server drains and takes no new requests."""


class Full(Exception):
    """The queue has reached its limit."""


@dataclass(frozen=True, slots=True)
class Job:
    """One request for text: the prompt's tokens, how much to say, when to stop."""

    prompt: tuple[int, ...]
    seed: str
    max_tokens: int
    choices: int = 1
    min_tokens: int = 0
    ignore_eos: bool = False
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Piece:
    """One token of one choice; the last of a choice has a finish reason."""

    index: int
    text: str
    finish_reason: str | None = None
    stop_reason: str | None = None


@dataclass(slots=True)
class _Times:
    """Moments of one request on the monotonic clock."""

    arrived: float
    started: float = 0.0
    first: float = 0.0
    last: float = 0.0


class EngineCore:
    """One engine. All methods run on the event loop that serves it."""

    def __init__(self, config: EngineConfig, write: Callable[[str], None]) -> None:
        self.config = config
        self.metrics = EngineMetrics(config)
        self.dead = self.draining = self.aborting = False
        self.running = 0
        self._write = write
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._blocks: OrderedDict[int, None] = OrderedDict()
        self._held = 0
        self._busy, self._busy_since = 0.0, time.monotonic()
        self._stats: asyncio.TimerHandle | None = None
        self._window = (0.0, 0.0)

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return len(self._waiters)

    def busy_seconds(self) -> float:
        """Request-seconds of work so far."""
        return self._busy + self.running * (time.monotonic() - self._busy_since)

    def admit(self) -> None:
        """Raise what a new request has to be told: EngineDead, ShuttingDown or Full."""
        if self.dead:
            raise EngineDead
        if self.draining or self.aborting:
            raise ShuttingDown
        limit = self.config.max_num_queued
        if limit and self.running + self.waiting >= limit:
            self.metrics.rejections.add(1, self.config.name, "max_num_queued_reqs")
            raise Full

    def interrupt(self, *, dead: bool = False) -> None:
        """End every request: answered so far (abort), or with an error when the engine died."""
        self.dead = self.dead or dead
        self.aborting = True
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def generate(self, job: Job) -> AsyncGenerator[list[Piece], None]:
        """The tokens of a request, one list per engine step. Closing the iterator early aborts the request.

        Raises EngineDead when the engine dies in between.
        """
        times = _Times(time.monotonic())
        await self._enter()
        times.started = times.last = time.monotonic()
        held = len(job.prompt)
        self._hold(held)
        try:
            cached = self._look_up(job.prompt)
            await self._prefill(job, cached)
            told = [0] * job.choices
            seeds = [f"{job.seed} {index}" if index else job.seed for index in range(job.choices)]
            sources = [pieces(seed) for seed in seeds]
            ends = [_end(job, seed) for seed in seeds]
            texts, open_choices = [""] * job.choices, set(range(job.choices))
            while open_choices:
                step = []
                for index in sorted(open_choices):
                    piece = self._piece(job, index, next(sources[index]), texts, told, ends[index])
                    step.append(piece)
                    if piece.finish_reason:
                        open_choices.discard(index)
                self._hold(len(step))
                held += len(step)
                self._count_step(len(step), times)
                if not open_choices:
                    self._count_request(job, told, times, cached, step[-1].finish_reason or "stop")
                yield step
                if open_choices:
                    await asyncio.sleep(self.config.itl_seconds)
                    if self.dead:
                        raise EngineDead
        finally:
            self._hold(-held)
            self._leave()

    async def embed(self, tokens: int) -> None:
        """The time and the counts of one pooling request."""
        times = _Times(time.monotonic())
        await self._enter()
        times.started = time.monotonic()
        try:
            await asyncio.sleep(self.config.ttft_seconds / 4 + self._prompt_seconds(tokens))
            if self.dead:
                raise EngineDead
            metrics = self.metrics
            metrics.count(metrics.prompt_tokens, tokens)
            metrics.count(metrics.by_source, tokens, "local_compute")
            metrics.count(metrics.success, 1, "stop")
            metrics.observe(metrics.request_prompt_tokens, tokens)
            metrics.observe(metrics.e2e, time.monotonic() - times.arrived)
        finally:
            self._leave()

    # Places

    async def _enter(self) -> None:
        self._watch()
        if self.running < self.config.max_num_seqs and not self._waiters:
            self._run(1)
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(place)
        self._show()
        try:
            await place
        except asyncio.CancelledError:
            self._waiters.remove(place)
            # It may have been this one's turn already.
            self._call_next()
            self._show()
            raise
        self._waiters.remove(place)
        if self.dead:
            raise EngineDead
        self._run(1)

    def _leave(self) -> None:
        self._run(-1)
        self._call_next()

    def _call_next(self) -> None:
        called = sum(waiter.done() for waiter in self._waiters)
        free = max(0, self.config.max_num_seqs - self.running - called)
        for waiter in itertools.islice([each for each in self._waiters if not each.done()], free):
            waiter.set_result(None)

    def _run(self, change: int) -> None:
        now = time.monotonic()
        self._busy += self.running * (now - self._busy_since)
        self._busy_since = now
        self.running += change
        self._show()

    def _show(self) -> None:
        self.metrics.set_queue(self.running, self.waiting)

    def _hold(self, tokens: int) -> None:
        self._held += tokens
        self.metrics.kv_usage.set(min(1.0, self._held / self.config.kv_tokens), "0", self.config.name)

    # Tokens

    async def _prefill(self, job: Job, cached: int) -> None:
        fresh = len(job.prompt) - cached
        await asyncio.sleep(self.config.ttft_seconds + self._prompt_seconds(fresh))
        if self.dead:
            raise EngineDead
        metrics = self.metrics
        metrics.count(metrics.prompt_tokens, len(job.prompt))
        metrics.count(metrics.by_source, fresh, "local_compute")
        metrics.count(metrics.by_source, cached, "local_cache_hit")
        metrics.count(metrics.cached_tokens, cached)
        metrics.count(metrics.cached_by_tier, cached, "device")
        metrics.observe(metrics.step_tokens, fresh)

    def _prompt_seconds(self, tokens: int) -> float:
        return self.config.prefill_seconds_per_1000 * tokens / 1000

    def cached_tokens(self, prompt: tuple[int, ...]) -> int:
        """How many leading tokens of a prompt the prefix cache holds now."""
        hits = sum(
            1 for _ in itertools.takewhile(lambda block: block in self._blocks, self._block_keys(prompt))
        )
        # The last token is always computed, because its output is needed.
        return min(hits * self.config.block_size, max(0, len(prompt) - 1))

    def _look_up(self, prompt: tuple[int, ...]) -> int:
        if not self.config.prefix_caching:
            return 0
        cached = self.cached_tokens(prompt)
        for block in self._block_keys(prompt):
            self._blocks[block] = None
            self._blocks.move_to_end(block)
        while len(self._blocks) > _CACHED_BLOCKS:
            self._blocks.popitem(last=False)
        self.metrics.count(self.metrics.cache_queries, len(prompt))
        self.metrics.count(self.metrics.cache_hits, cached)
        return cached

    def _block_keys(self, prompt: tuple[int, ...]) -> list[int]:
        size, key, keys = self.config.block_size, 0, []
        for start in range(0, len(prompt) - size + 1, size):
            key = zlib.crc32(repr(prompt[start : start + size]).encode(), key) + (start << 32)
            keys.append(key)
            key &= 0xFFFFFFFF
        return keys

    def _piece(
        self, job: Job, index: int, text: str, texts: list[str], told: list[int], end: tuple[int, str]
    ) -> Piece:
        told[index] += 1
        if self.aborting:
            return Piece(index, "", "abort")
        whole = texts[index] + text
        for stop in job.stop:
            found = whole.find(stop, max(0, len(texts[index]) - len(stop)))
            if found >= 0 and told[index] >= job.min_tokens:
                kept = whole[len(texts[index]) : found] if found > len(texts[index]) else ""
                return Piece(index, kept, "stop", stop)
        texts[index] = whole
        return Piece(index, text, end[1] if told[index] >= end[0] else None)

    # Counting

    def _count_step(self, tokens: int, times: _Times) -> None:
        metrics, now = self.metrics, time.monotonic()
        metrics.count(metrics.generation_tokens, tokens)
        if times.first:
            metrics.observe(metrics.itl, now - times.last)
            metrics.observe(metrics.step_tokens, tokens)
        else:
            times.first = now
            metrics.observe(metrics.ttft, now - times.arrived)
        times.last = now

    def _count_request(self, job: Job, told: list[int], times: _Times, cached: int, reason: str) -> None:
        metrics, now = self.metrics, time.monotonic()
        metrics.count(metrics.success, 1, reason)
        observe, longest = metrics.observe, max(told)
        observe(metrics.request_prompt_tokens, len(job.prompt))
        observe(metrics.request_generation_tokens, sum(told))
        observe(metrics.max_generation, longest)
        observe(metrics.params_n, job.choices)
        observe(metrics.params_max_tokens, job.max_tokens)
        observe(metrics.e2e, now - times.arrived)
        observe(metrics.queue_time, times.started - times.arrived)
        observe(metrics.inference_time, now - times.started)
        observe(metrics.prefill_time, times.first - times.started)
        observe(metrics.decode_time, now - times.first)
        observe(metrics.tpot, (now - times.first) / (longest - 1) if longest > 1 else 0.0)
        observe(metrics.preemptions, 0)
        observe(metrics.kv_computed, len(job.prompt) - cached)

    def _watch(self) -> None:
        """Write the throughput line every ten seconds for as long as there is activity."""
        if self._stats is None:
            self._window = self._totals()
            self._stats = asyncio.get_running_loop().call_later(_STATS_SECONDS, self._tell)

    def _tell(self) -> None:
        before, self._window, self._stats = self._window, self._totals(), None
        prompt, generated = (
            (now - then) / _STATS_SECONDS for now, then in zip(self._window, before, strict=True)
        )
        queries = self.metrics.cache_queries.value("0", self.config.name)
        hits = self.metrics.cache_hits.value("0", self.config.name)
        self._write(
            f"(APIServer pid=1) INFO {time.strftime('%m-%d %H:%M:%S', time.gmtime())} [loggers.py:257] Engine 000:"
            f" Avg prompt throughput: {prompt:.1f} tokens/s, Avg generation throughput: {generated:.1f} tokens/s,"
            f" Running: {self.running} reqs, Waiting: {self.waiting} reqs,"
            f" GPU KV cache usage: {100 * self._held / self.config.kv_tokens:.1f}%,"
            f" Prefix cache hit rate: {100 * hits / queries if queries else 0:.1f}%"
        )
        if self.running or self.waiting or before != self._window:
            self._watch()

    def _totals(self) -> tuple[float, float]:
        own = ("0", self.config.name)
        return self.metrics.prompt_tokens.value(*own), self.metrics.generation_tokens.value(*own)

    def close(self) -> None:
        """No more lines in the log."""
        if self._stats is not None:
            self._stats.cancel()
            self._stats = None


def _end(job: Job, seed: str) -> tuple[int, str]:
    """After how many tokens a choice ends when no stop string ends it, and the finish reason."""
    natural = job.max_tokens + 1 if job.ignore_eos else max(natural_length(seed), job.min_tokens)
    return (natural, "stop") if natural <= job.max_tokens else (job.max_tokens, "length")

"""Limits as the gateway asks for them: by Valkey while it can be trusted, by this gateway's own share while it cannot.

*Together*: one question to Valkey for each admission, which answers for all gateways at once.

*Alone*: a question failed or was late, or Valkey's history is younger than the window (it was emptied, or started
anew). Then this gateway decides by its share (local_share.py) and waits for nobody.

*On the way back*: Valkey answers again, but does not know yet all that was admitted. Then a request needs both: its
place in this gateway's share, and Valkey's word, since gateways that trust it already admit by that alone. What was
admitted without Valkey is told to it; once it has answered for a whole window, it knows all that counts, and is
believed.

Everything that needs no answer (what was used, what goes back, what was admitted alone, holds that have to stay alive)
is a difference between an admission as it is here and as Valkey knows it, and is levelled in batches.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter
from typing import Any, Literal

from metering import limiter
from metering.gateway.admission import Admission
from metering.gateway.peers import BEAT, Peers
from metering.gateway.valkey import Away, Valkey
from metering.limiter import NO_HOLD, Bucket, Hold, Refused, Standing, Verdict
from metering.local_share import Known, Window, decide

logger = logging.getLogger(__name__)

#: Seconds for which differences are gathered, and how many of them are told at once.
GATHER, _MOST_AT_ONCE = 0.01, 200
_UNLIMITED = Admission((), 0, 0.0)


class Limits:
    """One gateway's access to all limits."""

    def __init__(
        self, valkey: Valkey, *, gateway: str, assumed_gateways: int = 1, window_seconds: float = 60.0
    ) -> None:
        self._valkey = valkey
        self._seconds = window_seconds
        self._window_ms = int(window_seconds * 1000)
        self.peers = Peers(valkey, gateway, assumed_gateways)
        self._windows: dict[str, Window] = {}
        self._live: dict[Admission, None] = {}
        """Those that are not settled, oldest first."""
        self._uneven: dict[Admission, None] = {}
        """Those of which Valkey knows something else."""
        self._lost_at = -float("inf")
        self._trusted_from = 0.0
        """When Valkey may be asked again; it may be now."""
        self._generation = 0
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._is_closing = False
        self.decisions: Counter[tuple[str, str, str]] = Counter()
        """By decision ("admitted", "refused", "would refuse"), scope and what is limited."""
        self.alone = 0
        """Decisions for which this gateway's share counted."""

    @property
    def is_alone(self) -> bool:
        """Whether this gateway has to keep to its share: Valkey is away, or on the way back."""
        return (
            not self._valkey.is_up
            or self._valkey.generation != self._generation
            or time.monotonic() < self._trusted_from
        )

    @property
    def oldest_hold_seconds(self) -> float:
        first = next(iter(self._live), None)
        return time.monotonic() - first.began if first is not None else 0.0

    async def start(self) -> None:
        await self.peers.beat()
        self._generation = self._valkey.generation
        self._tasks = [asyncio.create_task(self._level_always()), asyncio.create_task(self._keep())]

    async def close(self) -> None:
        """Tells Valkey what it does not know yet, and that this gateway is gone."""
        self._is_closing = True
        self._wake.set()
        level, keep = self._tasks
        await level
        keep.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keep
        await self.peers.leave()

    # What a request asks

    async def admit(
        self, buckets: tuple[Bucket, ...], tokens: int, *, shadow: bool = False
    ) -> Admission | Refused:
        """One request, and a hold of so many tokens."""
        if not buckets:
            return _UNLIMITED
        admission = Admission(buckets, tokens, time.monotonic(), shadow=shadow)
        verdict, refused = await self._decide(admission, requests=1, hold=tokens)
        if verdict is not None and verdict.is_granted:
            admission.at_valkey = Hold(verdict.slot, tokens)
        self._count(buckets, refused, shadow=shadow)
        admission.is_over = not tokens or (refused is not None and not shadow)
        if refused is not None and not shadow:
            if admission.at_valkey.tokens:  # Valkey would have had room for it, this gateway's share has not
                admission.hold = 0
                self._differs(admission)
            return refused
        admission.would_refuse = refused
        if tokens:
            self._live[admission] = None
        now = time.monotonic()
        for bucket in buckets:
            window = self._window(bucket)
            window.count(now, 1, 0)
            window.held += tokens
        admission.room = _room(verdict)
        if verdict is not None:
            admission.standings = verdict.standings
        else:
            admission.standings = self._own_standings(buckets)
            admission.unsaid_requests = 1
            self._differs(admission)
        return admission

    async def extend(self, admission: Admission, *, used: int, hold: int) -> Refused | None:
        """Of what is held, so much is used now; holds so much anew. A refusal leaves everything as it is.

        Meanwhile the admission may be adjusted or settled: that is levelled afterwards.
        """
        while admission.levelling is not None:
            await admission.levelling
        said = admission.unsaid_used
        admission.levelling = asyncio.get_running_loop().create_future()
        try:
            verdict, refused = await self._decide(
                admission,
                used=used,
                said=said,
                hold=hold,
                instead_of=admission.hold,
                last=admission.at_valkey,
            )
        finally:
            admission.levelling.set_result(None)
            admission.levelling = None
            if admission in self._uneven:
                self._wake.set()
        if verdict is not None and verdict.is_granted:
            admission.at_valkey = Hold(verdict.slot, hold)
            admission.unsaid_used -= said + used
        admission.room = _room(verdict)
        is_refused = refused is not None and not admission.is_shadow
        if not admission.is_over and not is_refused:
            self._use(admission, used, hold, time.monotonic())
        if verdict is None or admission.hold != admission.at_valkey.tokens:
            self._differs(admission)
        if not is_refused or admission.is_over:
            return None
        self._count(admission.buckets, refused, shadow=False)
        return refused

    def adjust(self, admission: Admission, *, hold: int) -> None:
        """Holds less from now on. Never waits."""
        if hold < admission.hold:
            self._use(admission, 0, hold, time.monotonic())
            self._differs(admission)

    def settle(self, admission: Admission, *, used: int) -> None:
        """The end: so much of what is held was used, the rest goes back. Never waits."""
        if admission.is_over or not admission.buckets:
            return
        admission.is_over = True
        self._live.pop(admission, None)
        self._use(admission, used, 0, time.monotonic())
        if admission.unsaid_used or admission.unsaid_requests or admission.at_valkey.tokens:
            self._differs(admission)

    # Together

    async def _decide(
        self,
        admission: Admission,
        *,
        requests: int = 0,
        used: int = 0,
        said: int = 0,
        hold: int,
        instead_of: int = 0,
        last: Hold = NO_HOLD,
    ) -> tuple[Verdict | None, Refused | None]:
        """What Valkey says, if it says anything, and whether it or this gateway's share refuses.

        `said`: tokens that were used before, as this gateway counts, and that Valkey is to be told of now.
        """
        tokens, by_share = used + hold, self.is_alone
        verdict, refused = None, None
        if by_share:
            refused = self._decide_alone(admission, requests=requests, tokens=tokens, instead_of=instead_of)
        if not self._valkey.is_up or (refused is not None and not admission.is_shadow):
            return None, refused
        # While Valkey thinks, others ask for a part of the same share.
        pending = [self._window(bucket) for bucket in admission.buckets] if by_share else []
        for window in pending:
            window.pend(requests, tokens - instead_of)
        try:
            mode: Literal["ask", "shadow"] = "shadow" if admission.is_shadow else "ask"
            verdict = await self._run(admission.buckets, mode, requests, used + said, hold, last)
        except Away:
            self._lose()
        finally:
            for window in pending:
                window.pend(-requests, instead_of - tokens)
        if verdict is not None and verdict.epoch_age_ms < self._window_ms:
            self._lose(verdict.epoch_age_ms / 1000)
        if not self.is_alone and verdict is not None:
            self._learn(verdict, time.monotonic())
        elif not by_share:  # it was lost just now
            refused = self._decide_alone(admission, requests=requests, tokens=tokens, instead_of=instead_of)
        return verdict, (verdict and verdict.refused) or refused

    async def _run(
        self, buckets: tuple[Bucket, ...], mode: Any, requests: int, used: int, hold: int, last: Hold
    ) -> Verdict:
        words = limiter.arguments(
            buckets,
            window_ms=self._window_ms,
            mode=mode,
            requests=requests,
            used=used,
            hold=hold,
            last=last,
        )
        answer = await self._valkey.evalsha(limiter.SCRIPT, limiter.keys(buckets), words)
        return limiter.read(answer, buckets, requests=requests, tokens=used + hold)

    def _learn(self, verdict: Verdict, now: float) -> None:
        for bucket, requests, tokens in verdict.standings:
            self._window(bucket).known = Known(now, requests, tokens)

    # Alone

    def _lose(self, known_seconds: float = 0.0) -> None:
        """Decides alone for at least as long as Valkey's history is too short."""
        now = time.monotonic()
        if now >= self._trusted_from:
            self._lost_at = now
            logger.warning(
                "limits: alone, share %d of %d", self.peers.share.rank + 1, self.peers.share.gateways
            )
        self._trusted_from = max(self._trusted_from, now + self._seconds - known_seconds)

    def _decide_alone(
        self, admission: Admission, *, requests: int, tokens: int, instead_of: int
    ) -> Refused | None:
        self.alone += 1
        now = time.monotonic()
        if now >= self._trusted_from:
            self._lose()
        refusals = [
            refused
            for bucket in admission.buckets
            if (
                refused := decide(
                    bucket,
                    self._window(bucket),
                    self.peers.share,
                    now,
                    self._lost_at,
                    self._seconds,
                    requests=requests,
                    tokens=tokens,
                    instead_of=instead_of,
                )
            )
        ]
        return max(refusals, key=Refused.weight, default=None)

    def _own_standings(self, buckets: tuple[Bucket, ...]) -> tuple[Standing, ...]:
        windows = ((bucket, self._windows[bucket.key]) for bucket in buckets)
        return tuple(Standing(bucket, window.requests, window.tokens) for bucket, window in windows)

    # What this gateway knows of itself

    def _window(self, bucket: Bucket) -> Window:
        window = self._windows.get(bucket.key)
        if window is None:
            window = self._windows[bucket.key] = Window(self._seconds)
        return window

    def _use(self, admission: Admission, used: int, hold: int, now: float) -> None:
        for bucket in admission.buckets:
            window = self._window(bucket)
            window.held += hold - admission.hold
            window.count(now, 0, used)
        admission.hold, admission.touched = hold, now
        admission.unsaid_used += used

    def _count(self, buckets: tuple[Bucket, ...], refused: Refused | None, *, shadow: bool) -> None:
        if refused is None:
            self.decisions["admitted", "", ""] += 1
        else:
            decision = "would refuse" if shadow else "refused"
            self.decisions[decision, refused.bucket.scope.value, refused.what] += 1

    # Levelling what is known here and what Valkey knows

    def _differs(self, admission: Admission) -> None:
        self._uneven[admission] = None
        if not self._wake.is_set():
            self._wake.set()

    async def _level_always(self) -> None:
        while not self._is_closing:
            await self._wake.wait()
            await asyncio.sleep(GATHER)
            self._wake.clear()
            while self._uneven and self._valkey.is_up:
                if not await self._level():
                    break
            if self._uneven and not self._is_closing:
                await asyncio.sleep(0.1)
                self._wake.set()
        while self._uneven and self._valkey.is_up:
            if not await self._level():
                break

    async def _level(self) -> bool:
        """Tells Valkey of some differences, in one write; False when it did not take them."""
        batch = [
            each
            for each, _ in zip(self._uneven, range(_MOST_AT_ONCE), strict=False)
            if each.levelling is None
        ]
        if not batch:  # all of them are asking for more just now
            return False
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        for each in batch:
            del self._uneven[each]
            each.levelling = done
        try:
            results = await asyncio.gather(*map(self._level_one, batch), return_exceptions=True)
        finally:
            for each in batch:
                each.levelling = None
            done.set_result(None)
        failed = [each for each, result in zip(batch, results, strict=True) if result is not None]
        for each in failed:
            self._uneven[each] = None
        if failed:
            self._lose()
        return not failed

    async def _level_one(self, admission: Admission) -> None:
        requests, used, hold = admission.unsaid_requests, max(0, admission.unsaid_used), admission.hold
        verdict = await self._run(admission.buckets, "force", requests, used, hold, admission.at_valkey)
        admission.unsaid_requests -= requests
        admission.unsaid_used -= used
        admission.at_valkey = Hold(verdict.slot, hold)

    async def _keep(self) -> None:
        """Beats, keeps long holds alive, and forgets windows in which nothing is left."""
        while True:
            await asyncio.sleep(min(BEAT, self._seconds / 10))
            await self.peers.beat()
            if self._valkey.generation != self._generation:
                self._generation = self._valkey.generation
                self._lose()  # whoever answers now may have been started anew, with an older history
            now = time.monotonic()
            for admission in list(self._live):
                if admission.hold and now - admission.touched > self._seconds / 3:
                    admission.touched = now
                    self._differs(admission)
            for admission in list(self._uneven):
                if admission.is_over and admission.touched < now - self._seconds:
                    del self._uneven[admission]  # it counts no more, whether Valkey knows of it or not
            for key, window in list(self._windows.items()):
                window.let_go(now)
                if window.is_idle and (window.known is None or window.known.at < now - self._seconds):
                    del self._windows[key]


def _room(verdict: Verdict | None) -> int:
    standings = verdict.standings if verdict is not None else ()
    return max(0, min((b.tokens - tokens for b, _, tokens in standings if b.tokens is not None), default=0))

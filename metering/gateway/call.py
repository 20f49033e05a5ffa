"""One request from key to ledger.

1. Who asks, for which deployment, and may they: from the snapshot, without asking anybody.
2. One question to the limiter: a refusal is a 429. Everything else is admitted, and from then on there is one event.
3. The request goes to a replica with usage reporting forced on. If it cannot be reached, or is lost before the first
   byte of an answer, another one is asked, once.
4. The answer is passed on (answer.py).
5. However it ends, the limiter gets back what was not used, and the event is closed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deployments.vocabulary import DesiredState
from metering.events import Event, mint
from metering.gateway import body as bodies
from metering.gateway import errors
from metering.gateway.answer import Answer
from metering.gateway.body import Asked
from metering.gateway.connection import Connection, Request
from metering.gateway.errors import Header, Refusal
from metering.gateway.lease import Lease, most_of, output_cap, prompt_at_most
from metering.gateway.limit_words import limit_headers, over_limit, stream_over_limit
from metering.gateway.snapshot import Key, Route
from metering.gateway.stream import Stream
from metering.gateway.upstream import Replica, Unreachable
from metering.gateway.usage import Counted, of_answer, was_aborted
from metering.limiter import Refused
from metering.vocabulary import RequestStatus

if TYPE_CHECKING:
    from metering.gateway.gateway import Gateway

logger = logging.getLogger(__name__)

#: A replica that is full or on its way out says so with these before it has done anything.
_BUSY = (502, 503, 504)


@dataclass(frozen=True, slots=True)
class _Ending:
    """How a request ended, for the ledger first and for its client afterwards."""

    status: RequestStatus
    counted: Counted
    refusal: Refusal | None = None
    """Instead of an answer."""
    say: Callable[[], None] | None = None
    """Gives the client the end of its answer."""


class Call:
    """A request to an engine."""

    def __init__(self, gateway: Gateway, connection: Connection, request: Request, key: Key) -> None:
        self._gateway, self._connection, self._request, self._key = gateway, connection, request, key
        self.id = mint()
        self.status = 0
        """Of the answer to the client, once it is over."""
        self.event: Event | None = None
        """Once it is over, if it was admitted."""
        self._began = time.monotonic()
        self._started = time.time_ns() // 1000
        self._since_1970 = self._started - self._began * 1e6
        """Microseconds from the monotonic clock's zero to 1970."""
        self._is_gone = False
        self._answer: Answer | None = None

    async def run(self) -> None:
        """Answers the request, whatever happens."""
        try:
            refusal = await self._serve()
        except Refusal as early:
            refusal = early
        except Exception:
            logger.exception("request %s", self.id)
            refusal = Refusal(500, "The gateway failed.", kind="server_error", code="internal_error")
        self.status = refusal.status if refusal else 200
        if refusal is None:
            return
        if self._answer is not None and self._answer.has_sent:
            self._connection.drop()
        else:
            self._connection.refuse(refusal, (self._name,))

    # What the connection and the clock call

    def on_client_gone(self) -> None:
        self._is_gone = True
        if self._answer is not None:
            self._answer.on_client_gone()

    def on_client_slow(self) -> None:
        if self._answer is not None:
            self._answer.on_client_slow()

    def on_client_ready(self) -> None:
        if self._answer is not None:
            self._answer.on_client_ready()

    @property
    def seconds(self) -> float:
        """Since it came."""
        return time.monotonic() - self._began

    def cut(self) -> None:
        """The gateway cannot wait any longer: the answer ends with an error."""
        if self._answer is not None:
            self._answer.give_up()

    def tick(self, now: float) -> None:
        if self._answer is not None:
            settings = self._gateway.settings
            self._answer.tick(now, settings.first_answer_seconds, settings.silence_seconds)

    # The way of a request

    async def _serve(self) -> Refusal | None:
        """None when an answer was passed on."""
        asked = bodies.read(self._request.path, self._request.body)
        self._request.body = b""
        route = self._find(asked.model)
        buckets = route.buckets(self._key)
        cap, tokens = None, 0
        if any(bucket.tokens is not None for bucket in buckets):
            cap = output_cap(asked, route.context, buckets)
            tokens = most_of(asked, route.context, cap)
        admission = await self._gateway.limits.admit(buckets, tokens, shadow=route.shadow)
        if isinstance(admission, Refused):
            raise over_limit(route.name, admission)
        prompt = prompt_at_most(asked, route.context) if tokens else 0
        lease = Lease(self._gateway.limits, admission, asked, hold=tokens, prompt=prompt)
        slot = self._gateway.recorder.open(self._event(route, RequestStatus.ENGINE_FAILED, _guess(asked)))
        answer = self._answer = Answer(
            asked,
            self._connection,
            lease,
            lambda: self._headers(lease, cap),
            self._gateway.recorder.progress(slot),
            self._since_1970,
            self._gateway.begin_task,
        )
        answer.is_gone = self._is_gone
        ending = _Ending(RequestStatus.ENGINE_FAILED, Counted())
        try:
            content = bodies.for_engine(asked, continuous=route.reports_continuously, cap=cap)
            await self._ask(route, content, answer)
            ending = self._end(asked, answer, lease, cap)
        finally:
            lease.settle(ending.counted.input + ending.counted.output)
            self.event = self._event(route, ending.status, ending.counted)
            self._gateway.recorder.close_entry(slot, self.event)
        # Only now, so that whoever has a whole answer has paid for one, even if this process is killed right here.
        if ending.say is not None:
            ending.say()
        return ending.refusal

    def _find(self, name: str) -> Route:
        route = self._gateway.snapshot.routes.by_name.get(name)
        if route is None or not route.is_open_to(self._key):
            raise errors.unknown_model(name)
        if route.state is not DesiredState.RUNNING:
            raise errors.not_serving(name, "is switched off.")
        if not route.upstreams:
            raise errors.not_serving(name, "is not ready yet.")
        return route

    async def _ask(self, route: Route, content: bytes, answer: Answer) -> None:
        """Asks an engine, and another one if there is one and it has to be."""
        upstreams, avoid = self._gateway.upstreams, None
        for attempt in (1, 2):
            replica = await upstreams.pick(route.upstreams, route.certificate, avoid)
            if replica is None or replica is avoid or answer.is_gone:
                return
            self._gateway.figures.retries += attempt - 1
            has_come = await self._try(replica, content, answer)
            is_busy = answer.status in _BUSY and not answer.is_lost
            if answer.is_gone or answer.is_late or (has_come and not is_busy):
                return
            avoid = replica

    async def _try(self, replica: Replica, content: bytes, answer: Answer) -> bool:
        """Asks one replica; False when nothing of an answer came.

        An engine may have closed a connection that was kept just before we wrote to it: that says nothing of the
        engine, and is tried again on a new one.
        """
        request = _head(replica, self._request.path, content, self.id) + content
        replica.in_flight += 1
        try:
            for is_fresh in (False, True):
                link = await replica.link(fresh=is_fresh)
                if answer.is_gone:
                    replica.keep(link)
                    return True
                was_used = link.has_begun
                await answer.fetch(link, request)
                if not answer.is_lost:
                    replica.worked()
                    if link.may_be_kept:
                        replica.keep(link)
                    return True
                if link.has_begun or answer.is_gone or answer.is_late or not was_used:
                    break
            if not answer.is_gone and answer.cut is None:
                replica.failed()
            return link.has_begun
        except Unreachable:
            replica.failed()
            return False
        finally:
            replica.in_flight -= 1

    def _end(self, asked: Asked, answer: Answer, lease: Lease, cap: int | None) -> _Ending:
        """What the engine did, and what to tell the client as far as it is still there."""
        if answer.stream is not None:
            return self._end_stream(asked, answer, answer.stream, lease)
        if answer.is_gone:
            return _Ending(RequestStatus.CLIENT_GONE, _guess(asked) if answer.is_asked else Counted())
        if answer.is_late:
            return _Ending(RequestStatus.ENGINE_FAILED, Counted(), errors.too_slow())
        if answer.is_lost or not answer.status:
            refusal = errors.engine_failed(sent=bool(answer.status))
            return _Ending(RequestStatus.ENGINE_FAILED, Counted(), refusal)
        body = answer.body
        if answer.status != 200:
            refusal = errors.of_engine(answer.status, body, asked.model)
            status = RequestStatus.REFUSED if refusal.status < 500 else RequestStatus.ENGINE_FAILED
            return _Ending(status, Counted(), refusal)
        counted = of_answer(body)
        if not counted.is_known:
            counted.input = bodies.prompt_about(asked)
        status = RequestStatus.ENGINE_FAILED if was_aborted(body) else RequestStatus.COMPLETED
        headers = self._headers(lease, cap)
        return _Ending(status, counted, say=lambda: self._connection.answer(200, body, headers))

    def _end_stream(self, asked: Asked, answer: Answer, stream: Stream, lease: Lease) -> _Ending:
        counted = stream.counted
        if not counted.is_known:
            counted.output = stream.texts
            counted.input = bodies.prompt_about(asked) if stream.texts or answer.is_gone else 0
        if answer.is_gone:
            return _Ending(RequestStatus.CLIENT_GONE, counted)
        if answer.cut is not None:
            counted.output = lease.granted(counted.output)
            over = stream_over_limit(asked.model, answer.cut)
            return _Ending(RequestStatus.LIMIT_REACHED, counted, say=lambda: answer.finish_with(over))
        if stream.failed or (answer.is_lost and not stream.is_done):
            failed = errors.too_slow() if answer.is_late else errors.engine_failed(sent=True)
            return _Ending(RequestStatus.ENGINE_FAILED, counted, say=lambda: answer.finish_with(failed))
        return _Ending(RequestStatus.COMPLETED, counted, say=lambda: answer.finish(stream.rest()))

    # Facts

    def _event(self, route: Route, status: RequestStatus, counted: Counted) -> Event:
        answer, key = self._answer, self._key
        first, last = answer.moments if answer else (0, 0)
        return Event(
            id=self.id,
            started=self._started,
            ended=self._moment(time.monotonic()),
            deployment_id=route.deployment_id,
            deployment=route.name,
            revision=route.revision,
            model=route.model,
            organization_id=key.organization_id,
            user_id=key.user_id,
            api_key_id=key.id,
            status=status,
            input_tokens=counted.input,
            output_tokens=counted.output,
            cached_tokens=counted.cached,
            is_estimated=not counted.is_known and counted.input + counted.output > 0,
            first=first or None,
            itl_us=(last - first) // (counted.output - 1) if first and counted.output > 1 else None,
            price_id=route.price_id,
            gateway=self._gateway.name,
        )

    def _moment(self, at: float) -> int:
        """A reading of the monotonic clock as microseconds since 1970; 0 for none."""
        return int(at * 1e6 + self._since_1970) if at else 0

    @property
    def _name(self) -> Header:
        return b"x-request-id", b"req_" + self.id.encode()

    def _headers(self, lease: Lease, cap: int | None) -> list[Header]:
        headers = [self._name, *limit_headers(lease.standings)]
        if lease.is_needed:
            headers.append((b"x-slipway-at-limit", b"cut"))
        if cap is not None:
            headers.append((b"x-slipway-max-tokens", b"%d" % cap))
        return headers


def _guess(asked: Asked) -> Counted:
    """The prompt, where nobody counts it."""
    return Counted(input=bodies.prompt_about(asked))


def _head(replica: Replica, path: str, content: bytes, identity: str) -> bytes:
    """A head of our own; nothing of the client's goes to the engine but the body."""
    place = replica.place
    return (
        f"POST {place.prefix}{path} HTTP/1.1\r\nhost: {place.authority}\r\nuser-agent: slipway\r\n"
        f"accept: application/json, text/event-stream\r\naccept-encoding: identity\r\n"
        f"content-type: application/json\r\nx-request-id: {identity}\r\ncontent-length: {len(content)}\r\n\r\n"
    ).encode("latin-1")

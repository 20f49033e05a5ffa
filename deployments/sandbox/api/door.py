"""The HTTP door of the sandbox: who may come in, what is asked, and which part answers."""

from __future__ import annotations

import asyncio
import hmac
import logging
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from deployments.sandbox.api import (
    addresses,
    bodies,
    computed,
    deleting,
    discovery,
    kinds,
    openapi,
    reading,
    scaling,
)
from deployments.sandbox.api.addresses import Address
from deployments.sandbox.api.counts import Counts
from deployments.sandbox.api.errors import ApiError
from deployments.sandbox.api.faults import Fault, Faults
from deployments.sandbox.api.objects import Writes
from deployments.sandbox.api.watching import Watch
from deployments.sandbox.nodes import pod_log
from deployments.sandbox.store import Store

_log = logging.getLogger(__name__)

_OPEN_TO_ALL = ("/healthz", "/livez", "/readyz", "/version")


class Api:
    """An ASGI application over one store."""

    def __init__(self, store: Store, token: str, absent: frozenset[str] = frozenset()) -> None:
        self.store = store
        # Groups of add-ons that nobody has installed: unknown here, as on a real cluster.
        self._absent = absent
        self.faults = Faults()
        self.counts = Counts()
        # Set when the server stops, so that watches and followed logs end at once.
        self.stopping = asyncio.Event()
        self._token = token.encode()
        store.gates.append(self.faults.gate)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        fault = self._fault(request)
        if fault is not None and fault.delay:
            await asyncio.sleep(fault.delay)
        if fault is not None and fault.drop == "before":
            await _hang_up(receive)
            return
        response = await self._answer(request, fault)
        if fault is not None and fault.drop == "after":
            await _hang_up(receive)
            return
        await response(scope, receive, send)

    def _fault(self, request: Request) -> Fault | None:
        path = request.url.path
        if path.startswith("/sandbox/"):
            return None
        address = f"{path}?{request.url.query}" if request.url.query else path
        return self.faults.take(request.method, address, request.headers.get("user-agent", ""))

    async def _answer(self, request: Request, fault: Fault | None) -> Response:
        try:
            self._authenticate(request)
            if fault is not None and fault.status:
                raise fault.error()
            return await self._route(request)
        except ApiError as problem:
            return bodies.refuse(problem)
        except Exception:
            _log.exception("%s %s", request.method, request.url.path)
            return bodies.refuse(ApiError(500, "an internal error; the log of the sandbox tells more"))

    def _authenticate(self, request: Request) -> None:
        if request.url.path.rstrip("/") in _OPEN_TO_ALL:
            return
        scheme, _space, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(token.strip().encode(), self._token):
            raise ApiError(401, "Unauthorized")

    async def _route(self, request: Request) -> Response:
        path = request.url.path
        if path.startswith("/sandbox/"):
            return await self._sandbox(request)
        address = addresses.read(path)
        if address is not None and kinds.is_absent(address.kind, self._absent):
            raise ApiError(404, "the server could not find the requested resource")
        if address is not None:
            return await self._resource(request, address)
        return self._about(request)

    def _about(self, request: Request) -> Response:
        if request.method != "GET":
            raise ApiError(405, "the server does not allow this method on the requested resource")
        parts = [part for part in request.url.path.split("/") if part]
        found: Any = None
        if parts[:1] == ["apis"] and self._absent & {*parts[1:2], "/".join(parts[1:3])}:
            raise ApiError(404, "the server could not find the requested resource")
        match parts:
            case ["healthz" | "livez" | "readyz", *_]:
                return PlainTextResponse("ok")
            case ["version"]:
                found = discovery.version()
            case []:
                found = {"paths": ["/api", "/apis", "/healthz", "/openapi/v2", "/openapi/v3", "/version"]}
            case ["api"]:
                found = discovery.core_versions(request.url.netloc)
            case ["apis"]:
                found = discovery.groups(self._absent)
            case ["api", version]:
                found = discovery.resources("", version)
            case ["apis", group]:
                found = discovery.group(group, self._absent)
            case ["apis", group, version]:
                found = discovery.resources(group, version)
            case ["openapi", "v2"]:
                return Response(openapi.document_v2(), media_type=bodies.JSON_TYPE)
            case ["openapi", "v3"]:
                found = openapi.index(self._absent)
            case ["openapi", "v3", *rest]:
                document = openapi.document_v3("/".join(rest))
                if document is not None:
                    return Response(document, media_type=bodies.JSON_TYPE)
        if found is None:
            raise ApiError(404, "the server could not find the requested resource")
        return bodies.reply(found)

    async def _resource(self, request: Request, address: Address) -> Response:
        query = dict(request.query_params)
        watch = request.method == "GET" and query.get("watch") in ("true", "1")
        verb = addresses.verb(request.method, address, watch=watch)
        shown = f"{address.kind.plural}/{address.subresource}" if address.subresource else address.kind.plural
        self.counts.note("watch" if watch else verb, shown)
        match address.subresource:
            case "log":
                return self._log(request, address, query)
            case "scale":
                return await self._scale(request, address, query)
            case "eviction":
                return await self._evict(request, address)
        if request.method == "GET":
            form = bodies.wanted_form(request)
            if watch:
                stream = Watch(self.store, address, query, form, self.stopping)
                return StreamingResponse(stream.lines(), media_type=bodies.JSON_TYPE)
            bodies.check_form(form, single=verb == "get")
            read = reading.get if verb == "get" else reading.list_
            return bodies.reply(read(self.store, address, query, form))
        content = await bodies.read_bytes(request)
        if request.method == "DELETE":
            options = bodies.parse(content, bodies.content_type(request)) if content.strip() else None
            if verb == "delete":
                return bodies.reply(deleting.delete(self.store, address, query, options))
            tests = reading.tests(address.kind, query)
            return bodies.reply(deleting.delete_collection(self.store, address, query, options, tests))
        return self._write(request, address, query, content)

    def _write(self, request: Request, address: Address, query: dict[str, str], content: bytes) -> Response:
        media_type = bodies.content_type(request)
        writes = Writes(self.store, address, query, request.headers.get("user-agent", ""))
        status = 200
        if request.method == "PATCH":
            obj, made = writes.patch(content, media_type)
            status = 201 if made else 200
        elif not address.kind.store:
            obj, status = computed.review(address.kind, bodies.parse(content, media_type)), 201
        elif request.method == "POST":
            obj, status = writes.create(bodies.parse(content, media_type)), 201
        else:
            obj = writes.update(bodies.parse(content, media_type))
        form = bodies.wanted_form(request)
        body: Any = obj if not form else reading.in_form(self.store, address.kind, [obj], query, form)
        warnings = ", ".join(
            f'299 - "{text}"'.replace('field "', "field '").replace('""', "'\"") for text in writes.warnings
        )
        return bodies.reply(body, status, {"Warning": warnings} if warnings else None)

    def _log(self, request: Request, address: Address, query: dict[str, str]) -> Response:
        place = (address.namespace or "", address.name)
        text = pod_log.read(self.store, *place, query)
        if query.get("follow") == "true":
            return StreamingResponse(
                pod_log.follow(self.store, *place, query, self.stopping), media_type="text/plain"
            )
        return Response(text, media_type="text/plain")

    async def _scale(self, request: Request, address: Address, query: dict[str, str]) -> Response:
        if request.method == "GET":
            return bodies.reply(scaling.get(self.store, address))
        content = await bodies.read_bytes(request)
        agent = request.headers.get("user-agent", "")
        return bodies.reply(
            scaling.write(
                self.store, address, query, content, bodies.content_type(request), request.method, agent
            )
        )

    async def _evict(self, request: Request, address: Address) -> Response:
        content = await bodies.read_bytes(request)
        body = bodies.parse(content, bodies.content_type(request))
        options = body.get("deleteOptions") if isinstance(body, dict) else None
        deleting.delete(self.store, address, {}, options)
        return bodies.reply(
            {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}, 201
        )

    async def _sandbox(self, request: Request) -> Response:
        """The switches that no real cluster has."""
        match request.url.path.rstrip("/"), request.method:
            case "/sandbox/faults", "GET":
                return bodies.reply({"faults": self.faults.told()})
            case "/sandbox/faults", "POST":
                document = bodies.parse(await bodies.read_bytes(request), bodies.content_type(request))
                return bodies.reply(self.faults.add(document).told(), 201)
            case "/sandbox/faults", "DELETE":
                self.faults.clear()
                return bodies.reply({"faults": []})
            case "/sandbox/requests", "GET":
                return bodies.reply(self.counts.told())
            case "/sandbox/requests", "DELETE":
                self.counts.clear()
                return bodies.reply(self.counts.told())
            case "/sandbox/compact", "POST":
                self.store.journal.compact(self.store.revision)
                return bodies.reply({"revision": self.store.revision})
        raise ApiError(404, "the sandbox has /sandbox/faults, /sandbox/requests and /sandbox/compact")


async def _hang_up(receive: Receive) -> None:
    """Close the connection without a byte of an answer, as a broken network does."""
    transport = getattr(getattr(receive, "__self__", None), "transport", None)
    if transport is not None:
        transport.abort()
    # The server must learn that the connection is lost before we return without an answer.
    while (await receive())["type"] != "http.disconnect":
        pass

"""The HTTP door of one simulated engine: vLLM's routes, statuses and headers, as a bare ASGI application.

Requests are answered in a task of their own that is cancelled when the client hangs up, so that an abandoned
request stops costing tokens, as with the real server.
"""

from __future__ import annotations

import base64
import contextlib
import struct
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from deployments.quantity import to_bytes, to_millicores
from deployments.sandbox.api.exchange import Exchange
from deployments.sandbox.engines.engine_answers import DONE, Answer, dead_body, dead_event, event
from deployments.sandbox.engines.engine_core import EngineCore, EngineDead, Full, ShuttingDown
from deployments.sandbox.engines.engine_metrics import CONTENT_TYPE
from deployments.sandbox.engines.engine_requests import (
    BODY_LIMIT,
    Refusal,
    TextRequest,
    chat_request,
    check_length,
    check_model,
    completion_request,
    invalid,
    read_body,
    refusal,
    texts_of,
)
from deployments.sandbox.engines.engine_text import embedding, relevance, tokenize
from deployments.sandbox.engines.nim_api import KEPT, NimApi
from deployments.sandbox.engines.weights import EMBED, GENERATE, RERANK

_GUARDED = ("/v1", "/v2", "/inference", "/cohere")
Handler = Callable[[Exchange], Awaitable[None]]


class EngineApi:
    """Answers the requests to one engine."""

    def __init__(self, core: EngineCore, on_failure: Callable[[], None]) -> None:
        self._core = core
        self._on_failure = on_failure
        # Millicores and bytes that somebody put on top of the real load.
        self.extra_load = (0, 0)
        self._load = 0
        get, post = "GET", "POST"
        self._routes: dict[str, dict[str, Handler]] = {
            "/health": {get: self._health},
            "/ping": {get: self._health, post: self._health},
            "/version": {get: self._version},
            "/load": {get: self._server_load},
            "/metrics": {get: self._metrics},
            "/v1/models": {get: self._models},
            "/tokenize": {post: self._tokenize},
            "/sandbox/load": {post: self._set_load},
            "/sandbox/fail": {post: self._fail},
        }
        task = core.config.task
        if task == GENERATE:
            self._routes |= {
                "/v1/chat/completions": {post: self._chat},
                "/v1/completions": {post: self._complete},
            }
        elif task == EMBED:
            self._routes["/v1/embeddings"] = {post: self._embed}
        elif task == RERANK:
            self._routes |= {path: {post: self._rerank} for path in ("/rerank", "/v1/rerank", "/v2/rerank")}

        if core.config.flavour.startswith("nim"):
            kept = {
                path: self._routes[path]
                for path in self._routes
                if path in KEPT or path.startswith("/sandbox/")
            }
            self._routes = NimApi(core).routes() | kept

    async def answer(self, exchange: Exchange) -> None:
        """Answer one request and count it."""
        began, self._load = time.monotonic(), self._load + 1
        try:
            await self._dispatch(exchange)
        except Refusal as refused:
            await exchange.send_json(refused.status, refused.body)
        except EngineDead:
            await exchange.send_json(500, dead_body())
        except ShuttingDown:
            message = "cannot schedule new futures after shutdown"
            await exchange.send_json(500, refusal(500, message, "InternalServerError").body)
        except Full:
            message = (
                "The engine is currently busy and cannot accept new requests. Please try again later or on a different"
                " instance."
            )
            await exchange.send_json(503, refusal(503, message, "Service Unavailable").body)
        finally:
            self._load -= 1
            self._core.metrics.http_request(
                exchange.path,
                exchange.method,
                exchange.status,
                time.monotonic() - began,
                exchange.read,
                exchange.sent,
            )

    async def _dispatch(self, exchange: Exchange) -> None:
        config = self._core.config
        if config.request_id_headers:
            identity = exchange.header("x-request-id") or uuid.uuid4().hex
            exchange.extra_headers.append((b"x-request-id", identity.encode("latin-1", "replace")))
        guarded = config.api_key and exchange.path.startswith(_GUARDED)
        if guarded and exchange.header("authorization") != f"Bearer {config.api_key}":
            await exchange.send_json(401, {"error": "Unauthorized"})
            return
        methods = self._routes.get(exchange.path)
        if methods is None:
            await exchange.send_json(404, {"detail": "Not Found"})
        elif exchange.method not in methods:
            await exchange.send_json(405, {"detail": "Method Not Allowed"})
        else:
            await methods[exchange.method](exchange)

    # About the server

    async def _health(self, exchange: Exchange) -> None:
        await exchange.send(503 if self._core.dead else 200, b"")

    async def _version(self, exchange: Exchange) -> None:
        await exchange.send_json(200, {"version": self._core.config.version})

    async def _server_load(self, exchange: Exchange) -> None:
        # Its own request is not part of the load.
        load = self._load - 1 if self._core.config.load_tracking else 0
        await exchange.send_json(200, {"server_load": load})

    async def _metrics(self, exchange: Exchange) -> None:
        await exchange.send(200, self._core.metrics.render().encode(), CONTENT_TYPE)

    async def _models(self, exchange: Exchange) -> None:
        config = self._core.config
        entries = [
            {
                "id": name,
                "object": "model",
                "created": int(time.time()),
                "owned_by": "system" if config.flavour == "nim1" else "vllm",
                "root": config.root,
                "parent": None,
                "max_model_len": config.max_model_len,
                "permission": [
                    {
                        "id": f"modelperm-{uuid.uuid4().hex[:16]}",
                        "object": "model_permission",
                        "created": int(time.time()),
                        "allow_create_engine": False,
                        "allow_sampling": True,
                        "allow_logprobs": True,
                        "allow_search_indices": False,
                        "allow_view": True,
                        "allow_fine_tuning": False,
                        "organization": "*",
                        "group": None,
                        "is_blocking": False,
                    }
                ],
            }
            for name in config.names
        ]
        await exchange.send_json(200, {"object": "list", "data": entries})

    async def _tokenize(self, exchange: Exchange) -> None:
        body = await self._body(exchange)
        check_model(body, self._core.config)
        if "messages" in body and isinstance(body["messages"], list):
            tokens = list(chat_request(body, self._core.config).job.prompt)
        elif isinstance(body.get("prompt"), str):
            tokens = tokenize(body["prompt"])
        else:
            raise invalid("missing", "body.prompt", "Field required", f"<dict of {len(body)} items>")
        limit = self._core.config.max_model_len
        document = {"count": len(tokens), "max_model_len": limit, "tokens": tokens, "token_strs": None}
        await exchange.send_json(200, document)

    # For whoever plays with the sandbox

    async def _set_load(self, exchange: Exchange) -> None:
        body = await self._body(exchange)
        try:
            self.extra_load = (
                to_millicores(str(body.get("cpu", "0"))),
                to_bytes(str(body.get("memory", "0"))),
            )
        except ValueError as error:
            raise refusal(400, str(error), "BadRequestError") from None
        await exchange.send_json(200, {"millicores": self.extra_load[0], "bytes": self.extra_load[1]})

    async def _fail(self, exchange: Exchange) -> None:
        await exchange.send_json(200, {"failed": True})
        self._core.interrupt(dead=True)
        self._on_failure()

    # Inference

    async def _chat(self, exchange: Exchange) -> None:
        request = chat_request(await self._body(exchange), self._core.config)
        await self._text(exchange, request, chat=True)

    async def _complete(self, exchange: Exchange) -> None:
        request = completion_request(await self._body(exchange), self._core.config)
        await self._text(exchange, request, chat=False)

    async def _text(self, exchange: Exchange, request: TextRequest, *, chat: bool) -> None:
        self._core.admit()
        prefix = "chatcmpl-" if chat else "cmpl-"
        identity = prefix + (exchange.header("x-request-id") or uuid.uuid4().hex[:16])
        answer = Answer(request, self._core.config, identity, int(time.time()), chat)
        answer.cached = self._core.cached_tokens(request.job.prompt)
        work = (
            self._stream(exchange, request, answer)
            if request.stream
            else self._whole(exchange, request, answer)
        )
        await exchange.until_gone(work)

    async def _whole(self, exchange: Exchange, request: TextRequest, answer: Answer) -> None:
        async with contextlib.aclosing(self._core.generate(request.job)) as steps:
            async for step in steps:
                answer.add(step)
        await exchange.send_json(200, answer.whole())

    async def _stream(self, exchange: Exchange, request: TextRequest, answer: Answer) -> None:
        begun = False
        try:
            async with contextlib.aclosing(self._core.generate(request.job)) as steps:
                async for step in steps:
                    if not begun:
                        begun = True
                        await exchange.begin_events()
                        if answer.chat:
                            await exchange.send_part(event(answer.role_event()))
                    answer.add(step)
                    for piece in step:
                        await exchange.send_part(event(answer.piece_event(piece)))
        except EngineDead:
            if not begun:
                await exchange.begin_events()
            await exchange.send_part(dead_event())
            await exchange.send_part(DONE, last=True)
            return
        if request.include_usage:
            await exchange.send_part(event(answer.usage_event()))
        await exchange.send_part(DONE, last=True)

    async def _embed(self, exchange: Exchange) -> None:
        body = await self._body(exchange)
        if "input" not in body:
            raise invalid("missing", "body.input", "Field required", f"<dict of {len(body)} items>")
        inputs = texts_of(body["input"], "body.input")
        config = self._core.config
        check_model(body, config)
        size = body.get("dimensions") or config.hidden_size
        if not isinstance(size, int) or not 1 <= size <= config.hidden_size:
            raise invalid("int_type", "body.dimensions", "Input should be a valid integer", str(size)[:20])
        for tokens in inputs:
            check_length(len(tokens), config)
        self._core.admit()
        count = sum(len(tokens) for tokens in inputs)
        await exchange.until_gone(self._core.embed(count))
        data = []
        for index, tokens in enumerate(inputs):
            vector: Any = embedding(repr(tokens), size)
            if body.get("encoding_format") == "base64":
                vector = base64.b64encode(struct.pack(f"<{size}f", *vector)).decode()
            data.append({"index": index, "object": "embedding", "embedding": vector})
        document = {
            "id": f"embd-{uuid.uuid4().hex[:16]}",
            "object": "list",
            "created": int(time.time()),
            "model": body.get("model") or config.name,
            "data": data,
            "usage": {
                "prompt_tokens": count,
                "total_tokens": count,
                "completion_tokens": 0,
                "prompt_tokens_details": None,
            },
        }
        await exchange.send_json(200, document)

    async def _rerank(self, exchange: Exchange) -> None:
        body = await self._body(exchange)
        query, documents = body.get("query"), body.get("documents")
        if not isinstance(query, str):
            raise invalid("missing", "body.query", "Field required", f"<dict of {len(body)} items>")
        if not isinstance(documents, list) or not all(isinstance(each, str) for each in documents):
            raise invalid(
                "list_type", "body.documents", "Input should be a valid list", f"<dict of {len(body)} items>"
            )
        check_model(body, self._core.config)
        self._core.admit()
        count = sum(len(tokenize(text)) for text in [query, *documents])
        await exchange.until_gone(self._core.embed(count))
        scored: list[dict[str, Any]] = [
            {"index": index, "document": {"text": text}, "relevance_score": relevance(query, text)}
            for index, text in enumerate(documents)
        ]
        scored.sort(key=lambda each: -each["relevance_score"])
        top = body.get("top_n")
        document = {
            "id": f"rerank-{uuid.uuid4().hex[:16]}",
            "model": body.get("model") or self._core.config.name,
            "usage": {"prompt_tokens": count, "total_tokens": count},
            "results": scored[:top] if isinstance(top, int) and top > 0 else scored,
        }
        await exchange.send_json(200, document)

    async def _body(self, exchange: Exchange) -> dict[str, Any]:
        raw = await exchange.body(BODY_LIMIT)
        if raw is None:
            raise refusal(413, f"The request is larger than {BODY_LIMIT} bytes.", "BadRequestError")
        return read_body(exchange.header("content-type"), raw)

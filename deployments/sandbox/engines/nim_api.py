"""What NVIDIA's packaging adds around the engine, and what it hides: all of it is below /v1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deployments.sandbox.engines import nim_metrics
from deployments.sandbox.engines.engine_metrics import CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from deployments.sandbox.api.exchange import Exchange
    from deployments.sandbox.engines.engine_core import EngineCore

# Of the engine's own routes these stay reachable.
KEPT = ("/v1/models", "/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/rerank")


class NimApi:
    """Answers the requests that only a NIM knows."""

    def __init__(self, core: EngineCore) -> None:
        self._core = core

    def routes(self) -> dict[str, dict[str, Callable[[Exchange], Awaitable[None]]]]:
        """Paths with their methods."""
        return {
            "/v1/health/live": {"GET": self._live},
            "/v1/health/ready": {"GET": self._ready},
            "/v1/metadata": {"GET": self._metadata},
            "/v1/metrics": {"GET": self._metrics},
        }

    async def _live(self, exchange: Exchange) -> None:
        await self._health(exchange, "Service is live.", "Service is not live.")

    async def _ready(self, exchange: Exchange) -> None:
        await self._health(exchange, "Service is ready.", "Service is not ready.")

    async def _health(self, exchange: Exchange, good: str, bad: str) -> None:
        dead = self._core.dead
        document = {
            "object": "health.response",
            "message": bad if dead else good,
            "status": "error" if dead else "ready",
        }
        await exchange.send_json(503 if dead else 200, document)

    async def _metadata(self, exchange: Exchange) -> None:
        config = self._core.config
        model = {"modelUrl": f"ngc://nim/{config.root}", "shortName": config.root}
        await exchange.send_json(200, {"version": config.release, "modelInfo": [model], "assetInfo": []})

    async def _metrics(self, exchange: Exchange) -> None:
        config, page = self._core.config, self._core.metrics.render()
        if config.flavour == "nim1":
            page = nim_metrics.render(page, config.name, config.max_num_seqs)
        await exchange.send(200, page.encode(), CONTENT_TYPE)

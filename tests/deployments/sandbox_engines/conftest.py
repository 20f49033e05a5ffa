"""One quick engine per module."""

from collections.abc import Iterator

import httpx
import pytest

from deployments.sandbox.engines.engine_config import EngineConfig
from tests.deployments.sandbox_engines.running import Running, running

QUICK = EngineConfig(
    names=("demo", "other-name"),
    root="facebook/opt-125m",
    version="0.32.0",
    max_model_len=512,
    ttft_seconds=0.002,
    itl_seconds=0.0005,
)


@pytest.fixture(scope="module")
def engine() -> Iterator[Running]:
    """A chat engine that answers at once."""
    with running(QUICK) as handle:
        yield handle


@pytest.fixture(scope="module")
def http(engine: Running) -> Iterator[httpx.Client]:
    """A client of it."""
    with httpx.Client(base_url=engine.url, timeout=10) as client:
        yield client

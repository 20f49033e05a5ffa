"""A real vLLM for the run, and for each test a gateway with a ledger in front of it. Only where the run asks for it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import openai
import pytest
import redis
from django.utils import timezone

from console.local.family import Family
from deployments.models import Cluster, Deployment, Observation, Price
from deployments.spec import EngineSpec, SharingSpec
from deployments.vocabulary import ClusterKind, Engine, Sharing
from metering import issuing
from metering.engine_metrics import looking
from metering.ledger import partitions
from metering.models import ApiKey, UsageEvent
from tests.deployments.pages import world
from tests.faults.postgres import database_url
from tests.metering.gateway.world import PROJECT, GatewayProcess
from tests.real_engine import server
from tests.real_engine.installation import FOLDER, Installation
from tests.real_engine.server import RealEngine
from tests.tenant import Tenant

collect_ignore_glob = [] if os.environ.get(FOLDER) else ["test_*.py"]
INPUT, CACHED, OUTPUT = Decimal("0.15"), Decimal("0.03"), Decimal("0.60")
"""Prices per million tokens."""
ENGINE = EngineSpec(
    Engine.VLLM, "vllm/vllm-openai", "v0.33.0", arguments=("--max-model-len", str(server.CONTEXT_LENGTH))
)
_SERVED = pytest.StashKey[str]()


@pytest.fixture(scope="session")
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealEngine]:
    """One for all tests: it takes about a minute to start."""
    folder = tmp_path_factory.mktemp("engine")
    with Family() as family:
        started = server.start(Installation(Path(os.environ[FOLDER]).resolve()), family, folder / "log")
        request.config.stash[_SERVED] = f"vLLM {started.version} served after {started.seconds:.0f} s"
        yield started


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if _SERVED in config.stash:
        terminalreporter.section("real engine")
        terminalreporter.line(config.stash[_SERVED])


@dataclass
class Shop:
    """The gateway, the ledger behind it, and a tenant with a key."""

    deployment: Deployment
    key: ApiKey
    tenant: Tenant
    gateway: GatewayProcess

    def ledger(self, count: int, patience: float = 15.0) -> list[UsageEvent]:
        """The entries, as soon as there are so many, by their time."""
        deadline = time.monotonic() + patience
        while len(found := list(UsageEvent.objects.order_by("started_at"))) < count:
            assert time.monotonic() < deadline, f"{len(found)} of {count} entries"
            time.sleep(0.05)
        assert len(found) == count
        return found


@pytest.fixture
def shop(transactional_db: None, tmp_path: Path, valkey: redis.Redis, engine: RealEngine) -> Iterator[Shop]:
    partitions.forget()
    bob = world.tenant("bob@acme.example", "acme")
    acme = bob.organizations.get()
    key, text = issuing.issue(user=bob, organization=acme, name="test", by=bob)
    deployment = world.deployment(
        server.NAME, engine=ENGINE, sharing=SharingSpec(Sharing.SELECTED, ("acme",))
    )
    Price.objects.create(
        deployment=deployment,
        currency="USD",
        input_per_million=INPUT,
        cached_input_per_million=CACHED,
        output_per_million=OUTPUT,
        effective_from=timezone.now(),
    )
    Cluster.objects.update(kind=ClusterKind.SANDBOX)  # the one kind whose engines are on loopback
    Observation.objects.update(upstreams=[engine.url])
    engine.at_rest()
    looking.look(timezone.now())
    database = {"DATABASE_URL": database_url()}
    database = {"DATABASE_URL": database_url()}
    gateway = GatewayProcess(tmp_path / "gateway", environment=database)
    log = tmp_path / "ledger.log"
    with log.open("wb") as output:
        reader = subprocess.Popen(
            [sys.executable, "manage.py", "record_usage"],
            cwd=PROJECT,
            env={**os.environ, **database},
            stdout=output,
            stderr=output,
        )
    try:
        gateway.start()
        with Tenant(gateway.url, text, server.NAME) as tenant:
            _wait_until_known(tenant)
            yield Shop(deployment, key, tenant, gateway)
    finally:
        ends = gateway.stop()
        reader.terminate()
        assert (ends, reader.wait(20)) == (0, 0), gateway.log + log.read_text()
        partitions.forget()
    assert "Traceback" not in gateway.log


def _wait_until_known(tenant: Tenant) -> None:
    """Until the gateway has read the key and the deployment."""
    deadline = time.monotonic() + 5
    while True:
        try:
            assert tenant.models() == [tenant.model]
            return
        except (AssertionError, openai.AuthenticationError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)

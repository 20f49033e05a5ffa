"""An organisation with people, keys and a priced deployment, and events as gateways report them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from deployments.models import Deployment, Price
from metering import issuing
from metering.events import Event, encode, mint
from metering.ledger import partitions
from metering.ledger.judging import Entry
from metering.models import ApiKey
from metering.vocabulary import RequestStatus
from tests.deployments.pages import world


def micro(at: datetime) -> int:
    return round((at - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1))


@dataclass
class Place:
    """What events speak of."""

    deployment: Deployment
    key: ApiKey
    other_key: ApiKey

    def event(self, at: datetime | None = None, **facts: Any) -> Event:
        started = micro(at or timezone.now() - timedelta(seconds=5))
        key = facts.pop("key", self.key)
        given: dict[str, Any] = {
            "id": mint(started),
            "started": started,
            "ended": started + 900_000,
            "first": started + 200_000,
            "deployment_id": self.deployment.pk,
            "deployment": self.deployment.name,
            "revision": 1,
            "model": "llama-8b",
            "organization_id": key.organization_id,
            "user_id": key.user_id,
            "api_key_id": key.pk,
            "status": RequestStatus.COMPLETED,
            "input_tokens": 100,
            "output_tokens": 20,
            **facts,
        }
        return Event(**given)

    def price(
        self, at: datetime, input_: str, output: str, cached: str | None = None, currency: str = "USD"
    ) -> Price:
        return price_from(
            at,
            deployment=self.deployment,
            currency=currency,
            input_per_million=Decimal(input_),
            output_per_million=Decimal(output),
            cached_input_per_million=Decimal(cached) if cached else None,
        )


def price_from(at: datetime, **facts: Any) -> Price:
    """As if it had been made then: the database refuses a price that begins in the past, and no test can wait."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        price = Price.objects.create(effective_from=at, **facts)
        cursor.execute("SET LOCAL session_replication_role = origin")
    return price


def entries(*events: Event | bytes) -> list[Entry]:
    payloads = (each if isinstance(each, bytes) else encode(each) for each in events)
    return [Entry(f"{number}-0", payload) for number, payload in enumerate(payloads, 1)]


@pytest.fixture(autouse=True)
def own_partitions() -> Iterator[None]:
    """What is known of partitions ends with the test's database."""
    partitions.forget()
    yield
    partitions.forget()


@pytest.fixture
def place(db: None) -> Place:
    bob, charlie = world.tenant("bob@acme.example", "acme"), world.tenant("charlie@globex.example", "globex")
    made = [
        issuing.issue(user=user, organization=user.organizations.get(), name="test", by=user)[0]
        for user in (bob, charlie)
    ]
    return Place(world.deployment("chat"), *made)

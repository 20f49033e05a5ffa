"""Limits of organisations: read from where the limiter counts, told at 80 % and 100 %, once an hour."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import redis
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from console.models import Notice
from deployments.models import Deployment, RateLimit
from deployments.vocabulary import LimitScope
from metering import limit_changes, limiter
from metering.limit_changes import Amounts
from metering.limiter import Bucket
from metering.notices import limits
from tests.deployments.pages import world

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)


@pytest.fixture
def chat() -> Deployment:
    deployment = world.deployment("chat")
    RateLimit.objects.create(
        deployment=deployment,
        scope=LimitScope.ORGANIZATION,
        requests_per_minute=10,
        tokens_per_minute=1000,
    )
    return deployment


def ask(
    valkey: redis.Redis, deployment: Deployment, slug: str = "acme", *, requests: int = 0, tokens: int = 0
) -> None:
    """As gateways ask the limiter; without its own limits here, so that any number is granted."""
    organization = world.organization(slug)
    scope = LimitScope.ORGANIZATION
    buckets = [
        Bucket(f"{{{deployment.pk}}}:{each.value}:{organization.pk}", each, 10**9, 10**9)
        for each in (scope, LimitScope.USER)
    ]
    words = limiter.arguments(buckets, requests=requests, hold=tokens)
    keys = limiter.keys(buckets)
    valkey.eval(limiter.SCRIPT.text, len(keys), *keys, *words)


def told() -> list[tuple[str, object, object]]:
    return sorted((each.kind, each.facts["what"], each.facts["used"]) for each in Notice.objects.all())


@pytest.mark.parametrize(
    ("requests", "tokens", "expected"),
    [
        (7, 799, []),
        (8, 0, [("organization.limit_80", "requests", 8)]),
        (10, 0, [("organization.limit_100", "requests", 10)]),
        (0, 800, [("organization.limit_80", "tokens", 800)]),
        (0, 1000, [("organization.limit_100", "tokens", 1000)]),
        (9, 1000, [("organization.limit_100", "tokens", 1000), ("organization.limit_80", "requests", 9)]),
    ],
)
def test_a_step_is_told_with_what_counts(
    valkey: redis.Redis,
    chat: Deployment,
    requests: int,
    tokens: int,
    expected: list[tuple[str, str, int]],
) -> None:
    ask(valkey, chat, requests=requests, tokens=tokens)
    limits.tell(NOW)
    assert told() == expected


def test_it_is_told_once_an_hour(valkey: redis.Redis, chat: Deployment) -> None:
    ask(valkey, chat, requests=8)
    assert [limits.tell(NOW + timedelta(seconds=15 * number)) for number in range(3)] == [1, 0, 0]
    ask(valkey, chat, requests=2)
    assert [limits.tell(NOW) for _ in range(2)] == [1, 0]
    assert limits.tell(NOW + timedelta(hours=1)) == 1


def test_looking_changes_nothing(valkey: redis.Redis, chat: Deployment) -> None:
    ask(valkey, chat, requests=8)
    before = {key: (valkey.dump(key), valkey.pexpiretime(key)) for key in valkey.scan_iter()}
    limits.tell(NOW)
    assert {key: (valkey.dump(key), valkey.pexpiretime(key)) for key in valkey.scan_iter()} == before


def test_an_exception_of_an_organisation_counts_instead(valkey: redis.Redis, chat: Deployment) -> None:
    rich, free = world.organization("rich"), world.organization("free")
    limit_changes.set_exception(chat, rich, {LimitScope.ORGANIZATION: Amounts(100, None)})
    limit_changes.set_exception(chat, free, {LimitScope.ORGANIZATION: Amounts()})
    ask(valkey, chat, "rich", requests=79, tokens=10**6)
    ask(valkey, chat, "free", requests=10**6, tokens=10**6)
    assert limits.tell(NOW) == 0
    ask(valkey, chat, "rich", requests=1)
    assert limits.tell(NOW) == 1


def test_the_sentence_says_what_follows(valkey: redis.Redis, chat: Deployment) -> None:
    ask(valkey, chat, requests=10)
    limits.tell(NOW)
    notice = Notice.objects.get()
    assert notice.sentence == (
        "Acme used 10 of 10 requests per minute at chat. More is refused until some of it is a minute old."
    )
    Notice.objects.all().delete()
    limit_changes.set_shadow(chat, True)
    limits.tell(NOW)
    assert "Nothing is refused" in Notice.objects.get().sentence


def test_what_is_gone_or_strange_is_left_out(valkey: redis.Redis, chat: Deployment) -> None:
    organization = world.organization("acme")
    for key in ("{999999}:organization:1", f"{{{chat.pk}}}:organization:999999"):
        valkey.hset(key, mapping={"requests": 10, "used": 0, "held": 0})
    valkey.hset("{x}:organization:1", "requests", 10)
    valkey.set(f"{{{chat.pk}}}:organization:{organization.pk}", "a text")
    assert limits.tell(NOW) == 0


def test_while_valkey_is_away_nothing_is_told(chat: Deployment, settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert limits.tell(NOW) == 0


def test_many_organisations_cost_as_many_queries_as_one(valkey: redis.Redis, chat: Deployment) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            limits.tell(NOW)
        return len(captured)

    ask(valkey, chat, requests=8)
    few = queries()
    for number in range(40):
        ask(valkey, chat, f"org-{number}", requests=8)
    assert queries() == few
    assert Notice.objects.count() == 41

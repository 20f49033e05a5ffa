"""What remains this minute: as the limiter itself counts, with nothing reserved, and unknown where it is not known."""

from __future__ import annotations

import time
from typing import Any

import pytest
import redis
from django.test import Client

from deployments.models import Deployment
from deployments.spec import Limit, RateLimits
from deployments.vocabulary import LimitScope, Sharing
from metering import issuing, limiter, remaining
from metering.limiter import EPOCH_KEY, Bucket, bucket_key
from tests.deployments.pages import world

pytestmark = pytest.mark.django_db
LIMITS = RateLimits(organization=Limit(200_000, 600), user=Limit(1_000, 120), api_key=Limit(20_000, None))
BUCKET = Bucket(bucket_key(7, LimitScope.USER, 12), LimitScope.USER, 120, 1_000)


@pytest.fixture(autouse=True)
def nothing_was_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remaining, "_away_until", 0.0)


@pytest.fixture
def known(valkey: redis.Redis) -> redis.Redis:
    """A Valkey whose memory is older than a minute."""
    valkey.set(EPOCH_KEY, int((time.time() - 3600) * 1000))
    return valkey


def use(valkey: redis.Redis, bucket: Bucket, *, requests: int = 1, tokens: int = 0) -> None:
    """As a gateway counts a request."""
    words = limiter.arguments([bucket], requests=requests, used=tokens)
    granted, *_ = valkey.eval(limiter.SCRIPT.text, 2, *limiter.keys([bucket]), *words)  # type: ignore[misc]
    assert granted


def test_what_was_used_is_what_the_limiter_counts(known: redis.Redis) -> None:
    use(known, BUCKET, requests=3, tokens=250)
    found = remaining.used([BUCKET])
    assert found is not None
    assert found[BUCKET.key][1:] == (3, 250)


def test_asking_uses_nothing(known: redis.Redis) -> None:
    use(known, BUCKET, tokens=999)
    first = remaining.used([BUCKET])
    for _ in range(200):
        assert remaining.used([BUCKET]) == first
    use(known, BUCKET, tokens=1)


def test_all_are_asked_in_one_round_trip(known: redis.Redis) -> None:
    many = [BUCKET._replace(key=f"{{{number}}}:user:12") for number in range(100)]
    remaining.used(many)  # the script is known from now on
    before: Any = known.info("stats")
    assert len(remaining.used(many) or {}) == 100
    after: Any = known.info("stats")
    scripts: Any = known.info("commandstats")
    assert scripts["cmdstat_evalsha"]["calls"] >= 1
    assert after["total_connections_received"] - before["total_connections_received"] == 1


def test_a_young_memory_knows_nothing(valkey: redis.Redis) -> None:
    use(valkey, BUCKET, tokens=250)
    assert remaining.used([BUCKET]) is None, "what was used before it began is forgotten, not zero"


def test_without_valkey_it_is_unknown(settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert remaining.used([BUCKET]) is None


def page_of(client: Client) -> str:
    return client.get("/portal/usage/").content.decode()


@pytest.fixture
def chat(db: None) -> Deployment:
    return world.deployment("chat", sharing=world.shared(Sharing.ALL), rate_limits=LIMITS)


def test_a_page_says_what_is_left_for_whom_and_marks_the_tightest(
    known: redis.Redis, chat: Deployment
) -> None:
    bea = world.tenant("bea@acme.example", "acme")
    key, _ = issuing.issue(user=bea, organization=bea.organizations.get(), name="Nightly", by=bea)
    use(known, Bucket(bucket_key(chat.pk, LimitScope.USER, bea.pk), LimitScope.USER, 120, 1_000), tokens=900)
    use(
        known,
        Bucket(bucket_key(chat.pk, LimitScope.API_KEY, key.pk), LimitScope.API_KEY, None, 20_000),
        tokens=5,
    )
    client = world.signed_in(bea)
    for page in (page_of(client), client.get("/portal/models/chat/").content.decode()):
        for words in (
            "900 of 1,000",
            "100 left this minute",
            "0 of 200,000",
            "Key Nightly, tokens",
            "5 of 20,000",
        ):
            assert words in page
        assert page.count('class="meter" data-tone="warn"') == 1


def test_a_page_says_unknown_and_no_zero(valkey: redis.Redis, chat: Deployment) -> None:
    page = page_of(world.signed_in(world.tenant("bea@acme.example", "acme")))
    assert "Unknown, limit 200,000 per min" in page
    assert "0 of 200,000" not in page
    assert "cannot be read at this moment" in page

"""The usual work of a tenant on a real engine: what the client is told, what the ledger says and what the engine counts
are the same, to the last token; and what cannot be the same differs by what is said here.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from io import StringIO
from typing import Any

import openai
import pytest
from django.core.management import call_command
from django.utils import timezone

from deployments.models import RateLimit
from metering import invariants
from metering.engine_metrics import looking
from metering.models import UsageEvent
from metering.vocabulary import RequestStatus
from tests.real_engine.conftest import CACHED, INPUT, OUTPUT, Shop
from tests.real_engine.server import BLOCK, CONTEXT_LENGTH, NAME, RealEngine
from tests.tenant import Tenant, Used, total

pytestmark = pytest.mark.django_db(transaction=True)
TO_THE_END: dict[str, Any] = {"extra_body": {"ignore_eos": True}}
"""The model talks nonsense, and may happen to say that it is done: where the length matters it must not."""
LENGTHY = CONTEXT_LENGTH - 100
"""Tokens of an answer that takes many seconds."""
LONG = " ".join(f"word{number}" for number in range(40))


@pytest.fixture(params=["without the gateway", "through the gateway"])
def tenant(request: pytest.FixtureRequest, engine: RealEngine) -> Iterator[Tenant]:
    """The same work both ways: what holds without us must hold with us."""
    if request.param == "through the gateway":
        yield request.getfixturevalue("shop").tenant
        return
    with Tenant(engine.url, "none", NAME) as direct:
        yield direct


def usual_work(tenant: Tenant) -> int:
    """A bit of everything; how many requests were answered."""
    assert tenant.models() == [NAME]
    assert tenant.chat(max_tokens=12)
    assert tenant.chat(LONG, max_completion_tokens=5)
    assert tenant.complete(max_tokens=7)
    streamed = tenant.stream(usage=True, max_tokens=20, **TO_THE_END)
    assert streamed.used is not None
    assert (streamed.used.output, streamed.finish) == (20, "length")
    return 4


def sums(entries: list[UsageEvent]) -> Used:
    return total(Used(each.input_tokens, each.output_tokens, each.cached_tokens) for each in entries)


def test_the_client_is_told_what_the_engine_counts(tenant: Tenant, engine: RealEngine) -> None:
    before = engine.at_rest()
    usual_work(tenant)
    assert tuple(engine.at_rest().since(before)) == tuple(total(tenant.told))


def test_the_official_client_raises_its_usual_errors(tenant: Tenant) -> None:
    stranger = Tenant(tenant.address, tenant.key, "no-such-model")
    with stranger, pytest.raises(openai.NotFoundError) as unknown:
        stranger.chat()
    assert unknown.value.param == "model"
    with pytest.raises(openai.BadRequestError) as long:
        tenant.chat("word " * 2 * CONTEXT_LENGTH)
    assert f"maximum context length is {CONTEXT_LENGTH} tokens" in str(long.value)
    with pytest.raises(openai.BadRequestError):
        tenant.stream("word " * 2 * CONTEXT_LENGTH)
    with pytest.raises(openai.BadRequestError):
        tenant.chat(temperature=-3)


def test_the_ledger_says_what_the_client_was_told_and_the_engine_counted(
    shop: Shop, engine: RealEngine
) -> None:
    before = engine.at_rest()
    count = usual_work(shop.tenant)
    assert shop.tenant.stream(usage=True, max_tokens=3).reports == 1
    assert shop.tenant.stream(max_tokens=30, **TO_THE_END).reports == 0, (
        "who does not ask for usage gets none"
    )
    count += 1
    entries = shop.ledger(count + 1)
    assert tuple(sums(entries)) == tuple(engine.at_rest().since(before))
    assert sums(entries[:count]) == total(shop.tenant.told)
    assert entries[-1].output_tokens == 30
    assert {each.status for each in entries} == {RequestStatus.COMPLETED}
    assert not any(each.is_estimated for each in entries)
    for each in entries:
        assert each.first_at is None or each.started_at < each.first_at <= each.ended_at


def test_a_crowd_is_counted_exactly(shop: Shop, engine: RealEngine) -> None:
    """More than the engine runs at once, streamed and not, so that several tokens come in one event."""
    before = engine.at_rest()

    def ask(number: int) -> None:
        text, size = f"{number} {LONG[: 20 * (number % 9)]}", 5 + 7 * number % 90
        if number % 3:
            shop.tenant.stream(text, usage=number % 2 == 0, max_tokens=size)
        else:
            shop.tenant.chat(text, max_tokens=size)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(ask, range(60)))
    entries = shop.ledger(60)
    assert tuple(sums(entries)) == tuple(engine.at_rest().since(before))
    assert len({each.id for each in entries}) == 60


def test_cached_tokens_have_their_own_price(shop: Shop, engine: RealEngine) -> None:
    before = engine.at_rest()
    for _ in range(2):
        shop.tenant.chat(f"cached {LONG}", max_tokens=3)
    first, second = shop.ledger(2)
    assert second.cached_tokens == second.input_tokens // BLOCK * BLOCK
    assert (first.cached_tokens, second.cached_tokens) == tuple(each.cached for each in shop.tenant.told)
    assert engine.at_rest().since(before).cached == first.cached_tokens + second.cached_tokens
    fresh = second.input_tokens - second.cached_tokens
    exact = fresh * INPUT + second.cached_tokens * CACHED + second.output_tokens * OUTPUT
    assert second.amount == exact / Decimal(10**6)


def test_who_hangs_up_pays_for_what_was_generated(shop: Shop, engine: RealEngine) -> None:
    """The engine stops; it may have generated a few tokens that had not reached the gateway."""
    before = engine.at_rest()
    seen = shop.tenant.hang_up(10, max_tokens=LENGTHY, **TO_THE_END)
    (entry,) = shop.ledger(1)
    grown = engine.at_rest().since(before)
    assert entry.status == RequestStatus.CLIENT_GONE
    assert not entry.is_estimated
    assert entry.input_tokens == grown.input
    assert seen <= entry.output_tokens <= grown.output
    assert grown.output < LENGTHY / 2, "the engine went on"


def test_several_answers_are_added_up(shop: Shop, engine: RealEngine) -> None:
    """Also when the client hangs up before the engine has said the sum. The prompt of n answers is paid once: so does
    the engine report it, though its own counter has it n times.
    """
    before = engine.at_rest()
    assert shop.tenant.chat(n=3, max_tokens=9, **TO_THE_END)
    shop.tenant.stream(n=3, max_tokens=9, **TO_THE_END)
    for entry in shop.ledger(2):
        assert (entry.input_tokens, entry.output_tokens) == (shop.tenant.told[0].input, 27)
    assert engine.at_rest().since(before)[:2] == (2 * 3 * shop.tenant.told[0].input, 54)

    before = engine.at_rest()
    shop.tenant.hang_up(30, n=3, max_tokens=LENGTHY, **TO_THE_END)
    entry, grown = shop.ledger(3)[-1], engine.at_rest().since(before)
    assert entry.status == RequestStatus.CLIENT_GONE
    assert 30 <= entry.output_tokens <= grown.output < 3 * LENGTHY / 2


def test_an_unread_answer_is_stopped_too(shop: Shop, engine: RealEngine) -> None:
    before = engine.at_rest()
    with pytest.raises(openai.APITimeoutError):
        shop.tenant.chat(max_tokens=LENGTHY, timeout=0.5, **TO_THE_END)
    (entry,) = shop.ledger(1)
    assert entry.status == RequestStatus.CLIENT_GONE
    assert engine.at_rest().since(before).output < LENGTHY / 2, "the engine went on"


def test_a_stream_ends_at_its_limit_and_the_limit_is_not_passed(shop: Shop, engine: RealEngine) -> None:
    RateLimit.objects.create(deployment=shop.deployment, scope="api_key", tokens_per_minute=350)
    time.sleep(1)  # by then every gateway knows
    with pytest.raises(openai.APIError) as ended:
        shop.tenant.stream(max_tokens=400, **TO_THE_END)
    assert ended.value.code == "rate_limit_exceeded"
    (entry,) = shop.ledger(1)
    assert entry.status == RequestStatus.LIMIT_REACHED
    assert 330 <= entry.input_tokens + entry.output_tokens <= 350


def test_what_the_engine_refuses_costs_nothing(shop: Shop) -> None:
    with pytest.raises(openai.BadRequestError):
        shop.tenant.chat("word " * 2 * CONTEXT_LENGTH)
    (entry,) = shop.ledger(1)
    assert (entry.status, entry.amount) == (RequestStatus.REFUSED, 0)


def test_the_check_of_the_ledger_finds_nothing(shop: Shop, engine: RealEngine) -> None:
    shop.ledger(usual_work(shop.tenant))
    engine.at_rest()
    assert looking.look(timezone.now()) == 1
    findings = {finding.title: finding for finding in invariants.check(timezone.now())}
    told = total(shop.tenant.told)
    counted = f"{told.input + told.output:,} tokens"
    assert findings["Ledger and engines"].sentence.count(counted[:-7]) == 2, findings["Ledger and engines"]
    out = StringIO()
    call_command("check_ledger", stdout=out)
    print(out.getvalue())

"""Money: never rounded on the way, once at the line, and never added up across currencies."""

from __future__ import annotations

from decimal import Context, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.pricing import MixedCurrencies, Rates, amount, in_full, line, total, totals
from metering.vocabulary import RequestStatus

EXACT = Context(prec=100)
PRICES = st.decimals(0, 10**11, places=12, allow_nan=False, allow_infinity=False)
TOKENS = st.integers(0, 10**9)


@given(PRICES, PRICES, PRICES, TOKENS, TOKENS, TOKENS)
def test_an_amount_is_the_exact_product(
    input_: Decimal, output: Decimal, cached: Decimal, fresh: int, hit: int, answer: int
) -> None:
    """Against whole numbers of the smallest unit that a price has: 10^-18 of the currency."""
    found = amount(Rates("USD", input_, output, cached), RequestStatus.COMPLETED, fresh + hit, hit, answer)
    prices = [int(price.scaleb(12, EXACT)) for price in (input_, cached, output)]
    whole = sum(tokens * price for tokens, price in zip((fresh, hit, answer), prices, strict=True))
    assert found == Decimal(whole).scaleb(-18, EXACT)


def test_a_sum_of_tiny_amounts_is_not_nothing() -> None:
    """200,000 requests at 0.15 per million: each costs less than a cent, all of them 6.30."""
    rates = Rates("USD", Decimal("0.15"), Decimal("0.60"))
    each = amount(rates, RequestStatus.COMPLETED, 210, 0, 0)
    assert line(each, "USD") == 0
    assert line(200_000 * each, "USD") == Decimal("6.30")


@pytest.mark.parametrize(
    ("exact", "currency", "rounded"),
    [
        ("0.005", "USD", "0.01"),
        ("0.004999999999999999", "USD", "0.00"),
        ("2.675", "EUR", "2.68"),
        ("-0.005", "USD", "-0.01"),
        ("0.5", "JPY", "1"),
        ("1.0005", "KWD", "1.001"),
        ("99999999999999999999.995000000000000000", "USD", "100000000000000000000.00"),
    ],
)
def test_a_line_is_rounded_half_up_once(exact: str, currency: str, rounded: str) -> None:
    assert line(Decimal(exact), currency) == Decimal(rounded)


@given(st.lists(st.decimals(-(10**19), 10**19, places=18, allow_nan=False, allow_infinity=False)))
def test_a_sum_loses_no_digit_however_large_it_is(amounts: list[Decimal]) -> None:
    units = sum(int(amount.scaleb(18, EXACT)) for amount in amounts)
    _, found = total(("KRW", amount) for amount in amounts)
    assert found == Decimal(units).scaleb(-18, EXACT)
    assert totals(("KRW", amount) for amount in amounts) == ({"KRW": found} if amounts else {})
    assert Decimal(in_full(found)) == found


def test_currencies_are_not_added_up() -> None:
    assert total([("USD", Decimal(1)), ("USD", Decimal(2))]) == ("USD", Decimal(3))
    assert total([]) == ("", Decimal(0))
    with pytest.raises(MixedCurrencies):
        total([("USD", Decimal(1)), ("EUR", Decimal(1))])


@pytest.mark.parametrize("status", list(RequestStatus))
@pytest.mark.parametrize("output", [0, 5])
def test_who_got_nothing_pays_nothing(status: RequestStatus, output: int) -> None:
    paid = amount(Rates("USD", Decimal(1), Decimal(1)), status, 100, 0, output)
    is_free = status is RequestStatus.REFUSED or (status is RequestStatus.ENGINE_FAILED and not output)
    assert (paid == 0) is is_free

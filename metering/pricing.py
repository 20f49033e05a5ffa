"""Money, exact: what a request costs, and what a line of an invoice says. Pure; Decimal throughout.

An amount is never rounded while it is added up: a request may cost a millionth of a cent. A line of an invoice is
rounded once, half up, to the smallest unit of its currency.

Python rounds Decimals to 28 digits unless it is told otherwise, and ten billion of a currency with 18 digits behind the
point are 29. So all arithmetic happens here, with digits enough for every column, and raises Inexact beyond that.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Context, Decimal, DivisionByZero, Inexact, InvalidOperation, localcontext
from typing import NamedTuple

from metering.vocabulary import RequestStatus

MILLIONTH = Decimal("0.000001")
_EXACT = Context(prec=80, traps=[Inexact, InvalidOperation, DivisionByZero])
_ROUNDED = Context(prec=80, rounding=ROUND_HALF_UP, traps=[InvalidOperation])
#: Digits behind the point, where there are not two (ISO 4217).
_MINOR_DIGITS = {
    "JPY": 0,
    "KRW": 0,
    "VND": 0,
    "CLP": 0,
    "ISK": 0,
    "BHD": 3,
    "KWD": 3,
    "OMR": 3,
    "TND": 3,
    "JOD": 3,
}


class Rates(NamedTuple):
    """Prices per one million tokens, in one currency."""

    currency: str
    input: Decimal
    output: Decimal
    cached: Decimal | None = None
    """For input that was in the engine's cache; None: like other input."""


class MixedCurrencies(ValueError):
    """A sum of amounts in different currencies means nothing."""


def is_free(status: RequestStatus, output_tokens: int) -> bool:
    """Who got nothing pays nothing: the engine refused the request, or failed before the first token."""
    return status is RequestStatus.REFUSED or (status is RequestStatus.ENGINE_FAILED and output_tokens == 0)


def amount(
    rates: Rates, status: RequestStatus, input_tokens: int, cached_tokens: int, output_tokens: int
) -> Decimal:
    """What a request costs, unrounded: at most 18 digits behind the point. Cached tokens are a part of the input."""
    if is_free(status, output_tokens):
        return Decimal(0)
    cached = rates.input if rates.cached is None else rates.cached
    with localcontext(_EXACT):
        fresh = input_tokens - cached_tokens
        return (fresh * rates.input + cached_tokens * cached + output_tokens * rates.output) * MILLIONTH


def line(total: Decimal, currency: str) -> Decimal:
    """An invoice's line: rounded half up to the currency's smallest unit."""
    return total.quantize(Decimal(1).scaleb(-_MINOR_DIGITS.get(currency, 2)), context=_ROUNDED)


def total(amounts: Iterable[tuple[str, Decimal]]) -> tuple[str, Decimal]:
    """(currency, sum); of nothing an empty currency and zero. Raises MixedCurrencies."""
    currencies: set[str] = set()
    added = Decimal(0)
    with localcontext(_EXACT):
        for currency, value in amounts:
            currencies.add(currency)
            added += value
    if len(currencies) > 1:
        raise MixedCurrencies(", ".join(sorted(currencies)))
    return next(iter(currencies), ""), added


def totals(amounts: Iterable[tuple[str, Decimal]]) -> dict[str, Decimal]:
    """The sum of each currency."""
    found: dict[str, Decimal] = {}
    with localcontext(_EXACT):
        for currency, value in amounts:
            found[currency] = found.get(currency, Decimal(0)) + value
    return found


def in_full(amount: Decimal) -> str:
    """All digits that say something."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text

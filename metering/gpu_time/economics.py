"""What a deployment costs beside what it earns. Pure; money is Decimal and never added over currencies.

- Cost: GPU hours held x the rate of the cluster and product in that hour.
- Margin: revenue less cost, and its share of the revenue; only where both are in one and the same currency.
- Break-even: tokens an hour at which the average revenue of a token of this period pays the average cost of an hour
  in which GPUs were held.
- Idle: GPU hours held while no request was under way, of hours that are over.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal, localcontext
from types import MappingProxyType
from typing import NamedTuple

_HOUR = Decimal(3600)
_DIGITS = 60
_COST_PLACES, _TENTH = Decimal("0.000001"), Decimal("0.1")


class GpuTime(NamedTuple):
    """Of a period. One GPU for one second is one GPU second."""

    gpu_seconds: int = 0
    unrated: int = 0
    """GPU seconds of products for which no cost was entered."""
    seconds: int = 0
    """In which any GPU was held."""
    idle: Decimal = Decimal(0)
    """GPU seconds without work, of those of which it is known."""
    judged: int = 0
    """GPU seconds of which it is known whether there was work."""
    weighed: Mapping[str, Decimal] = MappingProxyType({})
    """By currency: GPU seconds x rate per hour."""

    @property
    def costs(self) -> dict[str, Decimal]:
        """By currency, to a millionth."""
        with localcontext(prec=_DIGITS):
            return {
                currency: (each / _HOUR).quantize(_COST_PLACES) for currency, each in self.weighed.items()
            }


class Economics(NamedTuple):
    """What can be said of a period; None is what cannot."""

    costs: dict[str, Decimal]
    revenues: dict[str, Decimal]
    margin: tuple[str, Decimal] | None
    """(currency, amount)."""
    margin_share: Decimal | None
    """Of the revenue, in percent, with one digit."""
    covered: Decimal | None
    """Of the cost, the part that the revenue pays, in percent, with one digit."""
    break_even: int | None
    """Tokens, input and output, per hour in which GPUs are held."""
    tokens_per_hour: int | None
    """What there really were, to be held against it."""


def judge(time: GpuTime, revenues: Mapping[str, Decimal], tokens: int) -> Economics:
    """From the sums of a period; `tokens` are those of its requests, input and output."""
    costs = time.costs
    earned = {currency: amount for currency, amount in revenues.items() if amount}
    margin = share = covered = break_even = None
    with localcontext(prec=_DIGITS):
        currencies = costs.keys() | earned.keys()
        if costs and len(currencies) == 1:
            (currency,) = currencies
            cost, revenue = costs[currency], earned.get(currency, Decimal(0))
            margin = currency, revenue - cost
            if cost > 0:
                covered = (revenue * 100 / cost).quantize(_TENTH)
            if revenue > 0:
                share = ((revenue - cost) * 100 / revenue).quantize(_TENTH)
                if tokens and time.seconds:
                    an_hour = cost * _HOUR / time.seconds
                    break_even = int((an_hour * tokens / revenue).to_integral_value(ROUND_CEILING))
    per_hour = tokens * 3600 // time.seconds if time.seconds else None
    return Economics(costs, dict(revenues), margin, share, covered, break_even, per_hour)

"""The models of an organisation as its people see them: for what, its price, its limits, and how it stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from console.presentation.figures import money
from console.visiting import Visit
from deployments import tenancy
from deployments.document import InvalidDocument
from deployments.engines.memory import context_length
from deployments.models import Deployment
from deployments.tenancy import State
from deployments.vocabulary import LimitScope, Tone, UseCase
from metering import terms
from metering.models import FleetFigure, LatencyTarget
from metering.pricing import Rates
from metering.terms import Limit, Terms

_PERIOD = "24h"
_FRESH = timedelta(hours=2)
"""Figures that are older say nothing of today."""


@dataclass(frozen=True, slots=True)
class SharedModel:
    """One deployment that is shared with the organisation."""

    id: int
    name: str
    """What a call names."""
    title: str
    provider: str
    use_case: UseCase
    description: str
    context: int | None
    """Tokens of prompt and answer together."""
    state: State
    terms: Terms
    first_token_ms: int | None
    """95 of 100 answers of the last 24 hours began within so many milliseconds; None: there were none."""

    @property
    def talks(self) -> bool:
        """Whether the playground can use it."""
        return self.use_case is UseCase.CHAT

    @property
    def prices(self) -> list[tuple[str, str]]:
        """What is priced, and the price of one million tokens; nothing for a model without a price."""
        rates = self.terms.rates
        return _prices(rates) if rates else []

    def limits(self, organization: str) -> list[tuple[str, str]]:
        """Who is limited, and to what; in the order of `LimitScope`."""
        who = {
            LimitScope.ORGANIZATION: organization,
            LimitScope.USER: "You",
            LimitScope.API_KEY: "Each API key",
        }
        return [(who[scope], in_words(limit)) for scope, limit in self.terms.limits.items()]


def models_of(visit: Visit, now: datetime) -> list[SharedModel]:
    """By name. Seven queries, however many there are."""
    found = tenancy.states_for(visit.organization, now)
    ids = [deployment.pk for deployment, _ in found]
    agreed = terms.read(ids, visit.organization.pk, now)
    speeds = _first_tokens(ids, now)
    targets = dict(
        LatencyTarget.objects.filter(deployment__in=ids, ttft_ms__isnull=False).values_list(
            "deployment_id", "ttft_ms"
        )
    )
    return [
        _shown(
            deployment, state, agreed[deployment.pk], speeds.get(deployment.pk), targets.get(deployment.pk)
        )
        for deployment, state in found
    ]


def in_words(limit: Limit) -> str:
    """Like "200,000 tokens, 600 requests per min"."""
    parts = [
        f"{count:,} {what}"
        for count, what in ((limit.tokens, "tokens"), (limit.requests, "requests"))
        if count is not None
    ]
    return f"{', '.join(parts)} per min"


def _shown(
    deployment: Deployment, state: State, agreed: Terms, speed: int | None, target: int | None
) -> SharedModel:
    model = deployment.model
    is_late = speed is not None and target is not None and speed > target
    return SharedModel(
        id=deployment.pk,
        name=deployment.name,
        title=model.name,
        provider=model.provider.name,
        use_case=UseCase(model.use_case),
        description=model.description,
        context=_context(deployment),
        state=tenancy.LATE if is_late and state.tone is Tone.GOOD else state,
        terms=agreed,
        first_token_ms=speed,
    )


def _context(deployment: Deployment) -> int | None:
    try:
        return context_length(deployment.spec, deployment.model.sizing)
    except InvalidDocument:  # written by another version: it serves, and what the model can do still holds
        return deployment.model.context_length


def _first_tokens(deployments: list[int], now: datetime) -> dict[int, int]:
    """In milliseconds; from the figures that are made each minute for the fleet."""
    rows = FleetFigure.objects.filter(
        deployment__in=deployments, period=_PERIOD, computed_at__gt=now - _FRESH, ttft_p95_us__isnull=False
    )
    return {row.deployment_id: round(row.ttft_p95_us / 1000) for row in rows if row.ttft_p95_us is not None}


def _prices(rates: Rates) -> list[tuple[str, str]]:
    amounts: list[tuple[str, Decimal | None]] = [
        ("Input", rates.input),
        ("Cached input", rates.cached),
        ("Output", rates.output),
    ]
    return [(name, money(amount, rates.currency)) for name, amount in amounts if amount is not None]

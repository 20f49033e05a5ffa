"""The fleet as rows of a page or a file: which period, in which order, and what a row says. Two queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.db.models import Case, F, FilteredRelation, FloatField, IntegerField, Q, QuerySet, Value, When
from django.db.models.functions import Cast, NullIf

from deployments import gpus
from deployments.models import Deployment
from deployments.standing import Standing, standing_of, with_standing
from deployments.vocabulary import Phase
from metering.fleet.figures import PERIODS
from metering.latency.showing import milliseconds

LONGEST_SEARCH = 100
DEFAULT_SORT = "-worst"
#: By the word in an address, what is sorted by; what is not known comes last either way.
_SORTS = {
    "worst": "strain",
    "ttft": "figure__ttft_p95_us",
    "itl": "figure__itl_p95_us",
    "requests": "figure__requests",
    "errors": "failed_share",
    "tokens": "figure__tokens",
    "gpus": "figure__gpu_seconds",
    "cost": "figure__cost",
    "revenue": "figure__revenue",
    "name": "name",
}
#: Sorted by these, what costs more than an operator may see would be told by the order.
MONEY = ("cost", "revenue")


@dataclass(frozen=True, slots=True)
class Filters:
    """What the address asks for; anything odd in it means the default."""

    period: str = "24h"
    sort: str = DEFAULT_SORT
    search: str = ""
    page: str = "1"

    def query(self, **changes: str) -> str:
        wanted = {"period": self.period, "sort": self.sort, "q": self.search, **changes}
        plain = {"period": "24h", "sort": DEFAULT_SORT, "q": ""}
        return "?" + urlencode({key: value for key, value in wanted.items() if value != plain.get(key)})


@dataclass(frozen=True, slots=True)
class Row:
    """One deployment. None: nothing to tell by."""

    deployment: Deployment
    standing: Standing
    gpus: str
    """Now: "2 x H100"."""
    gpu_hours: Decimal | None
    """In the period, to a tenth."""
    ttft: Decimal | None
    """p95 in milliseconds."""
    itl: Decimal | None
    ttft_line: Sequence[int | None]
    itl_line: Sequence[int | None]
    ttft_over: bool
    """Above its target."""
    itl_over: bool
    requests: int | None
    failed_share: Decimal | None
    """In percent."""
    tokens: int | None
    costs: Mapping[str, Decimal]
    revenues: Mapping[str, Decimal]


def read(query: Mapping[str, str], *, with_money: bool) -> Filters:
    period, sort = query.get("period", ""), query.get("sort", "")
    word = sort.removeprefix("-")
    known = word in _SORTS and (with_money or word not in MONEY)
    return Filters(
        period=period if period in PERIODS else "24h",
        sort=sort if known else DEFAULT_SORT,
        search=query.get("q", "").replace("\x00", "").strip()[:LONGEST_SEARCH],
        page=query.get("page", "1")[:9],
    )


def ordered(visible: QuerySet[Deployment], filters: Filters, now: Any) -> QuerySet[Deployment]:
    """Deployments with their figures, for `row`. Worst first: what has failed, then the most strained."""
    chosen = FilteredRelation("fleet_figures", condition=Q(fleet_figures__period=filters.period))
    found = (
        with_standing(visible, now)
        .select_related("model", "current")
        .defer(
            "current__secrets", "model__weights_token", "model__description", "endpoint__cluster__kubeconfig"
        )
        .annotate(figure=chosen, **{f"of_{name}": F(f"figure__{name}") for name in _FIGURES})
        .annotate(
            strain=F("figure__strain"),
            targets_ttft=F("latency_target__ttft_ms"),
            targets_itl=F("latency_target__itl_ms"),
            failed_share=Cast(F("figure__failed"), FloatField()) / NullIf(F("figure__requests"), 0),
            has_failed=Case(
                When(shown=Phase.FAILED.value, then=Value(1)), default=Value(0), output_field=IntegerField()
            ),
        )
    )
    if filters.search:
        found = found.filter(Q(name__icontains=filters.search) | Q(model__name__icontains=filters.search))
    word = filters.sort.removeprefix("-")
    column = F(_SORTS[word])
    by = column.desc(nulls_last=True) if filters.sort.startswith("-") else column.asc(nulls_last=True)
    if word == "worst":
        failed = F("has_failed")
        first = failed.desc() if filters.sort.startswith("-") else failed.asc()
        return found.order_by(first, by, "name")
    return found.order_by(by, "name")


_FIGURES = (
    "ttft_p95_us",
    "itl_p95_us",
    "ttft_line",
    "itl_line",
    "requests",
    "failed",
    "tokens",
    "gpu_seconds",
    "costs",
    "revenues",
)


def row(deployment: Any, now: Any) -> Row:
    """Of a deployment that came through `ordered`."""
    spec: Mapping[str, Any] = deployment.current.document["spec"] if deployment.current else {}
    standing = standing_of(deployment, now)
    share = deployment.failed_share
    return Row(
        deployment=deployment,
        standing=standing,
        gpus=gpus.count(
            gpus.taken(spec, standing.wanted), spec.get("resources", {}).get("gpu", {}).get("product")
        ),
        gpu_hours=_hours(deployment.of_gpu_seconds),
        ttft=milliseconds(deployment.of_ttft_p95_us),
        itl=milliseconds(deployment.of_itl_p95_us),
        ttft_line=deployment.of_ttft_line or (),
        itl_line=deployment.of_itl_line or (),
        ttft_over=_is_over(deployment.of_ttft_p95_us, deployment.targets_ttft),
        itl_over=_is_over(deployment.of_itl_p95_us, deployment.targets_itl),
        requests=deployment.of_requests or None,
        failed_share=None if share is None else Decimal(share * 100).quantize(Decimal("0.01")),
        tokens=deployment.of_tokens or None,
        costs=_amounts(deployment.of_costs),
        revenues=_amounts(deployment.of_revenues),
    )


def _hours(gpu_seconds: int | None) -> Decimal | None:
    return (Decimal(gpu_seconds) / 3600).quantize(Decimal("0.1")) if gpu_seconds else None


def _is_over(value: float | None, target: int | None) -> bool:
    return value is not None and target is not None and value > target * 1000


def _amounts(texts: Mapping[str, str] | None) -> dict[str, Decimal]:
    return {currency: Decimal(text) for currency, text in (texts or {}).items()}

"""The list of deployments: which are asked for, in which order, and how many there are of each state.

Two queries whatever the number of rows: one counts every state and sums up a version of what would be shown, so that
a page that polls gets a cheap answer while nothing has changed; the other brings the rows of one page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Page, Paginator
from django.db.models import (
    BigIntegerField,
    Case,
    Count,
    DecimalField,
    Exists,
    F,
    Func,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Cast, Coalesce

from deployments import gpus
from deployments.models import Deployment, Share
from deployments.standing import Standing, shown_phase, standing_of, with_standing
from deployments.vocabulary import DesiredState, Engine, Phase, Sharing

PER_PAGE = 50
LONGEST_SEARCH = 100

#: The states one can filter by, with the phases each stands for.
STATES: dict[str, tuple[str, tuple[Phase, ...]]] = {
    "attention": ("Needs attention", tuple(phase for phase in Phase if phase.needs_attention)),
    "moving": ("Rolling out", tuple(phase for phase in Phase if phase.is_moving)),
    "serving": ("Serving", (Phase.SERVING,)),
    "stopped": ("Not running", (Phase.STOPPED,)),
}
#: What a reader wants first: failed, then doubtful, then moving, then what runs, then what rests.
ORDER: tuple[tuple[Phase, ...], ...] = (
    (Phase.FAILED,),
    (Phase.DEGRADED, Phase.UNKNOWN),
    STATES["moving"][1],
    (Phase.SERVING,),
    (Phase.STOPPED,),
)
SORTS = {
    "name": ("name",),
    "state": ("rank", "name"),
    "ready": ("ready_count", "name"),
    "gpus": ("gpu_count", "name"),
    "engine": ("engine_kind", "engine_tag", "name"),
    "endpoint": ("endpoint__name", "name"),
    "age": ("created_at", "name"),
}
DEFAULT_SORT = "state"


@dataclass(frozen=True, slots=True)
class Filters:
    """What the address asks for; anything odd in it means the default."""

    state: str = ""
    search: str = ""
    engine: str = ""
    endpoint: str = ""
    organization: str = ""
    sort: str = DEFAULT_SORT
    page: str = "1"

    @property
    def narrowed(self) -> bool:
        return any((self.state, self.search, self.engine, self.endpoint, self.organization))

    def query(self, **changes: str) -> str:
        """The canonical address, from "?" on; defaults are left out."""
        wanted = replace(self, **changes)
        values = {
            "state": wanted.state,
            "q": wanted.search,
            "engine": wanted.engine,
            "endpoint": wanted.endpoint,
            "organization": wanted.organization,
            "sort": "" if wanted.sort == DEFAULT_SORT else wanted.sort,
            "page": "" if wanted.page == "1" else wanted.page,
        }
        return "?" + urlencode({key: value for key, value in values.items() if value})


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts over everything visible, and over what the filters other than the state let through."""

    total: int
    attention: int
    clusters: int
    by_state: Mapping[str, int]
    """Within the other filters; "" counts all of them."""
    moving: bool
    """Something that is listed is on its way, so it is worth looking again soon."""
    version: str
    """Changes whenever anything that the list shows of a deployment changes."""


@dataclass(frozen=True, slots=True)
class Row:
    """One deployment as the list shows it."""

    deployment: Deployment
    standing: Standing
    engine: str
    gpus: str
    shared_with: str
    can_stop: bool
    can_start: bool


def read(query: Mapping[str, str]) -> Filters:
    """Filters from the address."""
    sort = query.get("sort", "")
    state, engine = query.get("state", ""), query.get("engine", "")
    return Filters(
        state=state if state in STATES else "",
        search=query.get("q", "").replace("\x00", "").strip()[:LONGEST_SEARCH],
        engine=engine if engine in set(Engine) else "",
        endpoint=query.get("endpoint", "")[:63],
        organization=query.get("organization", "")[:63],
        sort=sort if sort.removeprefix("-") in SORTS else DEFAULT_SORT,
        page=query.get("page", "1")[:9],
    )


def summarise(visible: QuerySet[Deployment], filters: Filters, now: datetime) -> Summary:
    """All counts and the version, in one query."""
    match = _match(filters)
    listed = match & _in_state(filters.state)
    counts = {f"state_{key}": Count("pk", filter=match & _in_state(key)) for key in STATES}
    found = visible.annotate(shown=shown_phase(now)).aggregate(
        total=Count("pk"),
        attention=Count("pk", filter=_in_state("attention")),
        clusters=Count("endpoint__cluster", distinct=True),
        state_=Count("pk", filter=match),
        moving=Count("pk", filter=listed & _in_state("moving")),
        version=Coalesce(Sum(_fingerprint(), filter=listed), Value(0), output_field=DecimalField()),
        **counts,
    )
    by_state = {key: found[f"state_{key}"] for key in ("", *STATES)}
    return Summary(
        total=found["total"],
        attention=found["attention"],
        clusters=found["clusters"],
        by_state=by_state,
        moving=found["moving"] > 0,
        version=f"{by_state[filters.state]}-{found['version']:f}",
    )


def rows(
    visible: QuerySet[Deployment], filters: Filters, summary: Summary, now: datetime
) -> tuple[Page[Any], list[Row]]:
    """One page of rows, in one query."""
    wanted = (
        with_standing(visible, now)
        .select_related("model", "current")
        .defer("current__secrets", "observation__details", *_sealed())
        .annotate(
            rank=by_urgency(),
            ready_count=Coalesce(F("observation__ready"), Value(0)),
            engine_kind=F("current__document__spec__engine__kind"),
            engine_tag=F("current__document__spec__engine__tag"),
            gpu_count=Cast(F("current__document__spec__resources__gpu__count"), IntegerField())
            * Coalesce(F("observation__wanted"), Value(0)),
            shares_count=Subquery(
                Share.objects.filter(deployment=OuterRef("pk"))
                .values("deployment")
                .annotate(n=Count("*"))
                .values("n")
            ),
        )
        .filter(_match(filters) & _in_state(filters.state))
        .order_by(*_order(filters.sort))
    )
    paginator = Paginator(wanted, PER_PAGE)
    paginator.count = summary.by_state[filters.state]
    page = paginator.get_page(filters.page)
    return page, [_row(deployment, now) for deployment in page]


def engine_text(spec: Mapping[str, Any]) -> str:
    """Engine and version of a document's spec: "vLLM 0.33.0"."""
    engine = spec.get("engine", {})
    kind, tag = engine.get("kind", ""), str(engine.get("tag", ""))
    label = {Engine.NIM: "NIM", Engine.DYNAMO: "Dynamo"}.get(kind) or (
        Engine(kind).label if kind in set(Engine) else kind
    )
    version = f"{tag[:14]}…" if tag.startswith("sha256:") else tag
    return f"{label} {version.removeprefix('v') if version[1:2].isdigit() else version}"


def shared_text(sharing: str, organizations: int) -> str:
    if sharing == Sharing.ALL:
        return "All orgs"
    if sharing == Sharing.SELECTED and organizations:
        return f"{organizations} org{'s' if organizations > 1 else ''}"
    return "Not shared"


def _row(deployment: Deployment, now: datetime) -> Row:
    spec: Mapping[str, Any] = deployment.current.document["spec"] if deployment.current else {}
    gpu = spec.get("resources", {}).get("gpu", {})
    standing = standing_of(deployment, now)
    return Row(
        deployment=deployment,
        standing=standing,
        engine=engine_text(spec),
        gpus=gpus.count(gpus.taken(spec, standing.wanted), gpu.get("product")),
        shared_with=shared_text(deployment.sharing, deployment.shares_count or 0),  # type: ignore[attr-defined]
        can_stop=deployment.desired_state == DesiredState.RUNNING,
        can_start=deployment.desired_state == DesiredState.STOPPED,
    )


def _match(filters: Filters) -> Q:
    """Every filter but the state."""
    match = Q()
    if filters.search:
        match &= (
            Q(name__icontains=filters.search)
            | Q(model__name__icontains=filters.search)
            | Q(model__slug__icontains=filters.search)
        )
    if filters.engine:
        match &= Q(current__document__spec__engine__kind=filters.engine)
    if filters.endpoint:
        match &= Q(endpoint__slug=filters.endpoint)
    if filters.organization:
        given = Share.objects.filter(deployment=OuterRef("pk"), organization__slug=filters.organization)
        match &= Q(sharing=Sharing.ALL) | Q(Exists(given))
    return match


def _in_state(state: str) -> Q:
    return Q(shown__in=[phase.value for phase in STATES[state][1]]) if state else Q()


def by_urgency() -> Case:
    """The place of the phase in ORDER; needs `shown`."""
    return Case(
        *(
            When(shown__in=[phase.value for phase in phases], then=Value(place))
            for place, phases in enumerate(ORDER)
        ),
        default=Value(len(ORDER)),
        output_field=IntegerField(),
    )


def _order(sort: str) -> list[str]:
    first, *rest = SORTS[sort.removeprefix("-")]
    # Age counts the other way round than the moment of creation does.
    backwards = sort.startswith("-") != (sort.removeprefix("-") == "age")
    return [f"-{first}" if backwards else first, *rest]


def _fingerprint() -> Cast:
    """A number made of everything that a row shows; the sum over all rows does not depend on their order."""
    parts = (
        "pk",
        "shown",
        "observation__sentence",
        "observation__ready",
        "observation__wanted",
        "changed_at",
        "current_id",
        "refusal",
        "endpoint__cluster__unreachable_since",
    )
    text = Func(Value("|"), *(F(part) for part in parts), function="concat_ws")
    number = Func(text, Value(0), function="hashtextextended", output_field=BigIntegerField())
    return Cast(number, DecimalField(max_digits=40, decimal_places=0))


def _sealed() -> tuple[str, ...]:
    """Large or secret columns of joined rows that no list needs."""
    return (
        "model__weights_token",
        "model__description",
        "endpoint__tls_key",
        "endpoint__tls_certificate",
        "endpoint__cluster__kubeconfig",
        "endpoint__cluster__facts",
    )

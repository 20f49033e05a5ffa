"""What tenants see of models: those shared with their organisation, their terms and state in plain words, no more."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from deployments.models import Deployment, Observation
from deployments.spec import Limit, Pricing, RateLimits
from deployments.vocabulary import DesiredState, LimitScope, Phase, Sharing, UseCase
from metering import limit_changes
from metering.limit_changes import Amounts
from metering.models import FleetFigure, LatencyTarget, LimitMode
from tests.deployments.pages import world

pytestmark = pytest.mark.django_db
LIMITS = RateLimits(organization=Limit(200_000, 600), user=Limit(50_000, None))
PRICE = Pricing("USD", Decimal("0.15"), Decimal("0.60"))


@pytest.fixture
def bea() -> Client:
    return world.signed_in(world.tenant("bea@acme.example", "acme"))


def shared(name: str = "chat", phase: Phase = Phase.SERVING, **facts: object) -> Deployment:
    return world.deployment(name, phase, sharing=world.shared(Sharing.ALL), **facts)  # type: ignore[arg-type]


def text(client: Client, address: str = "/portal/") -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def test_they_see_what_is_shared_with_them_and_no_more(bea: Client) -> None:
    world.deployment("theirs", sharing=world.shared(Sharing.SELECTED, "acme"))
    shared("for-all", Phase.PULLING, ready=0)
    world.deployment("elsewhere", sharing=world.shared(Sharing.SELECTED, "globex"))
    world.deployment("secret")
    page = text(bea)
    for name, is_there in {"theirs": True, "for-all": True, "elsewhere": False, "secret": False}.items():
        assert (name in page) == is_there
        assert bea.get(f"/portal/models/{name}/").status_code == (200 if is_there else 404)


@pytest.mark.parametrize(
    "address", ["/portal/", "/portal/models/chat/", "/portal/playground/", "/portal/usage/"]
)
def test_clusters_nodes_engines_and_other_organisations_are_not_named(bea: Client, address: str) -> None:
    world.organization("globex")
    sentence = "Node gpu-7 of fra-1 has no free GPU."
    world.deployment(
        "chat",
        Phase.FAILED,
        sharing=world.shared(Sharing.ALL),
        ready=0,
        sentence=sentence,
        remedy="Add a node.",
    )
    page = text(bea, address)
    for word in ("fra-1", "gpu-7", "Globex", "vllm", "vLLM", "Add a node", "/deployments/", "/clusters/"):
        assert word not in page
    assert "Acme" in page


@pytest.mark.parametrize(
    ("phase", "ready", "wanted", "word"),
    [
        (Phase.SERVING, 1, 1, "Serving"),
        (Phase.DEGRADED, 1, 2, "Slow"),
        (Phase.PULLING, 0, 1, "Starting"),
        (Phase.FAILED, 0, 1, "Unavailable"),
        (Phase.STOPPED, 0, 0, "Switched off"),
        (Phase.UNKNOWN, 0, 1, "Not known"),
    ],
)
def test_a_state_is_a_plain_word(bea: Client, phase: Phase, ready: int, wanted: int, word: str) -> None:
    shared(phase=phase, ready=ready, wanted=wanted)
    for address in ("/portal/", "/portal/models/chat/"):
        assert f"{word}</span>" in text(bea, address)


def test_a_stale_look_is_not_serving(bea: Client) -> None:
    shared(seen=world.ago(seconds=90))
    page = text(bea)
    assert "Not known</span>" in page
    assert "Serving" not in page


def test_what_is_being_deleted_is_gone(bea: Client) -> None:
    shared()
    Deployment.objects.update(desired_state=DesiredState.DELETED)
    assert "No models are shared with you" in text(bea)
    assert bea.get("/portal/models/chat/").status_code == 404


def test_who_belongs_to_nobody_is_told_whom_to_ask() -> None:
    shared("for-all")
    page = text(world.signed_in(world.tenant("new@example.com")))
    assert "You belong to no organisation yet" in page
    assert "for-all" not in page
    assert Observation.objects.exists()


def test_prices_and_limits_are_those_that_hold_for_the_organisation(bea: Client) -> None:
    chat = shared(rate_limits=LIMITS, pricing=PRICE)
    page = text(bea)
    for words in ("$0.15", "$0.60", "200,000 tokens, 600 requests per min", "50,000 tokens per min"):
        assert words in page
    exception = {LimitScope.ORGANIZATION: Amounts(tokens=7_000), LimitScope.USER: Amounts()}
    limit_changes.set_exception(chat, world.organization("acme"), exception)
    page = text(bea)
    assert "7,000 tokens per min" in page
    assert "50,000" not in page
    LimitMode.objects.create(deployment=chat, shadow=True)
    assert "7,000" not in text(bea), "a limit that refuses nothing is none for a tenant"


def test_how_fast_it_was_is_told_while_it_says_something(bea: Client) -> None:
    chat, now = shared(), timezone.now()
    FleetFigure.objects.create(deployment=chat, period="24h", computed_at=now, ttft_p95_us=412_300.0)
    assert "<b>412</b> ms, last 24 h" in text(bea)
    LatencyTarget.objects.create(deployment=chat, ttft_ms=400)
    assert "Slow</span>" in text(bea)
    LatencyTarget.objects.update(ttft_ms=500)
    assert "Serving</span>" in text(bea)
    FleetFigure.objects.update(computed_at=now - timedelta(days=2))
    assert "412" not in text(bea)


def test_samples_name_the_real_host_and_the_model_and_fit_its_use(bea: Client) -> None:
    shared()
    page = text(bea, "/portal/models/chat/")
    assert "http://127.0.0.1:8001/v1/chat/completions" in page
    for language in ("curl", "Python", "JavaScript"):
        assert f">{language}</label>" in page
    model = world.model()
    model.use_case = UseCase.EMBEDDING
    model.save()
    page = text(bea, "/portal/models/chat/")
    assert "http://127.0.0.1:8001/v1/embeddings" in page
    assert "chat/completions" not in page
    assert "Open in playground" not in page


@pytest.mark.parametrize(
    ("address", "most"), [("/portal/", 12), ("/portal/models/chat/", 13), ("/portal/usage/", 18)]
)
def test_pages_cost_the_same_for_one_model_and_for_many(bea: Client, address: str, most: int) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            text(bea, address)
        return len(captured)

    shared(rate_limits=LIMITS, pricing=PRICE)
    few = queries()
    assert few <= most
    for number in range(12):
        shared(f"other-{number}", rate_limits=LIMITS, pricing=PRICE)
    assert queries() == few

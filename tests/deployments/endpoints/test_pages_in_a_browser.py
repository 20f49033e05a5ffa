"""What only a browser shows of clusters and endpoints: no console message, no violation, no sideways scrolling."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect

from deployments.models import Cluster, Deployment, Endpoint
from deployments.vocabulary import ClusterKind
from tests.deployments.endpoints.certificates import HOST, issuer, make
from tests.deployments.endpoints.kubernetes import Objects

pytestmark = pytest.mark.django_db(transaction=True)

PAGES = {
    "clusters": ("cluster_list", None),
    "cluster": ("cluster_detail", "osl-1"),
    "unreachable": ("cluster_detail", "fra-1"),
    "new cluster": ("cluster_create", None),
    "cluster form": ("cluster_edit", "osl-1"),
    "cluster question": ("cluster_delete", "fra-1"),
    "endpoints": ("endpoint_list", None),
    "endpoint": ("endpoint_detail", "main"),
    "not ready": ("endpoint_detail", "internal"),
    "endpoint form": ("endpoint_edit", "main"),
    "new endpoint": ("endpoint_create", None),
}


@pytest.fixture
def world(cluster: Cluster, deployment: Deployment) -> None:
    """Something of every state."""
    now = timezone.now()
    Cluster.objects.update(checked_at=now, observed_at=now)
    Cluster.objects.create(slug="sandbox", name="Sandbox", kind=ClusterKind.SANDBOX)
    Cluster.objects.create(
        slug="fra-1",
        name="Frankfurt 1",
        facts=cluster.facts,
        checked_at=now,
        check_error="Cannot read the version: there is no answer in time. Check that the cluster runs.",
    )
    leaf = make(issuer=issuer(), names=(HOST, "*.example.com"))
    Endpoint.objects.update(
        tls="pem",
        tls_certificate=leaf.pem + issuer().pem,
        tls_expires_at=datetime(2026, 12, 1, tzinfo=UTC),
        routing="ingress",
        ready=True,
        checked_at=now,
    )
    Endpoint.objects.create(
        slug="internal",
        name="A name of quite some length for the internal endpoint",
        hostname="-".join(["internal"] * 6) + ".models.example.com",
        cluster=cluster,
        gateway_name="inference",
        ready=False,
        not_ready_reason="There is no Gateway models/inference on Oslo 1.\nCreate it, or name another one.",
        checked_at=now,
    )


@pytest.fixture
def browse(live_server, page: Page, web: Client, world: None) -> Iterator[Callable[[str], Page]]:
    """Opens one of PAGES as the signed-in person; afterwards the console has to be empty."""
    messages: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.context.add_cookies(
        [{"name": "session", "value": web.cookies["session"].value, "url": live_server.url}]
    )

    def go(name: str) -> Page:
        url_name, slug = PAGES[name]
        page.goto(live_server.url + reverse(url_name, args=[slug] if slug else []))
        return page

    yield go
    assert messages == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
def test_no_page_has_an_accessibility_violation(browse, theme: str, width: int) -> None:
    found = {}
    for name in PAGES:
        page = browse(name)
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        page.set_viewport_size({"width": width, "height": 900})
        result = Axe().run(page)
        if result.violations_count:
            found[name] = result.generate_report()
    assert found == {}


def test_no_page_scrolls_sideways_on_a_phone(browse) -> None:
    wide = {}
    for name in PAGES:
        page = browse(name)
        page.set_viewport_size({"width": 360, "height": 800})
        wide[name] = page.evaluate("document.documentElement.scrollWidth")
    assert {name: width for name, width in wide.items() if width > 360} == {}


def test_only_the_fields_of_the_chosen_route_and_certificate_are_shown(browse) -> None:
    page = browse("new endpoint")
    gateway = page.get_by_label("Gateway", exact=True)
    expect(gateway).to_be_visible()
    expect(page.get_by_label("Ingress class")).to_be_hidden()
    page.get_by_label("Ingress", exact=False).first.check()
    expect(gateway).to_be_hidden()
    expect(page.get_by_label("Ingress class")).to_be_visible()
    expect(page.get_by_label("Private key")).to_be_hidden()
    page.get_by_label("Certificate and key").check()
    expect(page.get_by_label("Private key")).to_be_visible()
    expect(page.get_by_label("Secret", exact=True)).to_be_hidden()


def test_a_cluster_is_checked_by_its_button(browse, objects: Objects) -> None:
    nothing: dict[str, list[str]] = {"items": []}
    objects |= {"/version": {"gitVersion": "v1.35.0"}, "/apis": {"groups": []}}
    objects |= {f"/api/v1/{kind}": nothing for kind in ("nodes", "pods", "resourcequotas")}
    objects |= {"/apis/storage.k8s.io/v1/storageclasses": nothing}
    page = browse("cluster")
    page.get_by_role("button", name="Check connection").click()
    told = page.get_by_role("status").filter(has_text="Oslo 1 answers: Kubernetes v1.35.0, 0 free GPUs.")
    expect(told).to_be_visible()

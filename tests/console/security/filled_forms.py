"""Every form of the console as somebody who may send it would fill it in, so that it is taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.test import Client
from django.utils import timezone

from console.access import Role
from console.models import Membership, User
from deployments.models import Cluster, Deployment, Draft, Provider
from deployments.vocabulary import Sharing
from metering.models import ApiKey
from tests.console.people.test_every_address_is_guarded import SUBSCRIPTION
from tests.deployments.clusters.conftest import kubeconfig
from tests.deployments.pages import world
from tests.page_forms import PageForm, forms_of

MINE = 7_000_011
"""An API key of the tenant who asks."""
GPU = "NVIDIA-H100-80GB-HBM3"


@dataclass(frozen=True)
class Filled:
    """A form, who sends it, and what they enter beside what the page has in it already."""

    page: str
    entered: Mapping[str, Any] = field(default_factory=dict)
    kind: str = "administrator"
    action: str = ""
    """Where it goes, when that is not its page; a page may have several."""

    def __str__(self) -> str:
        return self.action or self.page


def _hour() -> str:
    return f"{timezone.now():%Y-%m-%dT%H}:00"


PASSWORD = "another long enough password"
FORMS = [
    Filled("/organizations/new/", {"slug": "initech", "name": "Initech"}),
    Filled("/organizations/acme/edit/", {"name": "Acme Ltd"}),
    Filled("/organizations/acme/suspend/", {"reason": "They asked for it"}),
    Filled("/organizations/acme/budget/", {"amount": "100", "currency": "EUR"}),
    Filled("/organizations/acme/members/", {"email": "new@acme.example", "role": "member", "do": "invite"}),
    Filled("/people/invite/", {"email": "new@example.com", "name": "New", "role": "viewer"}),
    Filled(
        "/models/new/", {"slug": "new-8b", "name": "New 8B", "source_reference": "new/8b", "provider": "meta"}
    ),
    Filled("/models/llama-8b/edit/", {"name": "Llama"}),
    Filled(
        "/models/providers/new/", {"slug": "initech", "name": "Initech", "website": "https://initech.example"}
    ),
    Filled(
        "/clusters/new/",
        {
            "slug": "osl-2",
            "name": "Oslo",
            "kind": "kubeconfig",
            "kubeconfig_text": kubeconfig("https://127.0.0.1:9"),
        },
    ),
    Filled(
        "/clusters/fra-1/edit/", {"name": "Frankfurt", "kubeconfig_text": kubeconfig("https://127.0.0.1:9")}
    ),
    Filled(
        "/clusters/fra-1/gpu-costs/",
        {"product": GPU, "per_hour": "2.49", "currency": "EUR", "effective_from": _hour()},
    ),
    Filled(
        "/endpoints/new/",
        {"slug": "edge", "name": "Edge", "hostname": "edge.models.example.com", "cluster": "fra-1"}
        | {"gateway_name": "inference", "gateway_namespace": "gateways"},
    ),
    Filled(
        "/endpoints/main/edit/", {"name": "Main hall", "gateway_name": "inference", "gateway_namespace": "gw"}
    ),
    Filled(
        "/notifications/new/webhook/",
        {
            "name": "Night",
            "url": "https://hooks.example.com/",
            "kinds": ["deployment.failed"],
            "reach": "all",
        },
    ),
    Filled(
        f"/notifications/{SUBSCRIPTION}/edit/",
        {"kinds": ["deployment.failed"], "reach": "all", "url": "https://hooks.example.com/"},
    ),
    Filled("/keys/new/", {"membership": "bea@acme.example", "name": "Hers"}),
    Filled(f"/keys/{MINE}/rotate/", {"overlap": "0"}),
    Filled("/accounts/access-keys/new/", {"name": "ci", "days": "30", "scopes": ["manage_catalog"]}),
    Filled("/deployments/chat/sharing/", {"mode": "all", "do": "save"}),
    Filled(
        "/deployments/chat/limits/?organization=acme",
        {"organization": "acme", "organization_own": "on", "organization_requests": "60", "do": "save"},
    ),
    Filled("/deployments/chat/stop/"),
    Filled("/deployments/chat/drift/", {"policy": "leave"}),
    Filled("/deployments/chat/delete/", {"name": "chat"}),
    Filled("/accounts/password/change/", {"password1": PASSWORD, "password2": PASSWORD}),
    Filled("/portal/keys/new/", {"name": "mine"}, "member"),
    Filled(f"/portal/keys/{MINE}/rotate/", {"overlap": "0"}, "member"),
    Filled("/portal/members/", {"email": "new@acme.example", "role": "member", "do": "invite"}, "owner"),
]


def prepare() -> None:
    """What these forms need beside the rows of every address."""
    bea = world.tenant("bea@acme.example", "acme")
    node = {"name": "a-1", "product": GPU, "memory_bytes": None, "total": 8, "free": 8}
    Cluster.objects.update(facts={"version": "v1.34.0", "gpu_nodes": [node]})
    ApiKey.objects.create(
        pk=MINE, user=bea, organization=bea.organizations.get(), name="Bea's", digest="1" * 64
    )
    Deployment.objects.update(sharing=Sharing.PRIVATE)
    Draft.objects.all().delete()


def client_of(kind: str) -> Client:
    if kind == "administrator":
        return world.signed_in(world.person("eve@example.com", Role.ADMINISTRATOR))
    bea = User.objects.get(email="bea@acme.example")
    Membership.objects.filter(user=bea).update(role=kind)
    return world.signed_in(bea)


def filled(client: Client, form: Filled) -> tuple[PageForm, dict[str, Any]]:
    """The form on its page, and what is sent when it is filled in."""
    entered = dict(form.entered)
    if "membership" in entered:
        entered["membership"] = Membership.objects.get(user__email=entered["membership"]).pk
    page = client.get(form.page, {"membership": entered["membership"]} if "membership" in entered else None)
    assert page.status_code == 200, (form.page, page.status_code)
    wanted = set(form.entered) or {"csrfmiddlewaretoken"}
    wanted = {*form.entered, "csrfmiddlewaretoken"} - {"do"}
    found = [
        each for each in forms_of(page.content.decode()) if each.method == "post" and wanted <= each.names
    ]
    assert found, form.page
    values: dict[str, Any] = {**found[0].values, **entered}
    values.pop("csrfmiddlewaretoken", None)
    if "oldpassword" in found[0].names:
        values["oldpassword"] = "a long enough password"
    for name, kind in (("cluster", Cluster), ("provider", Provider)):
        if name in form.entered:
            values[name] = kind.objects.get(slug=form.entered[name]).pk
    return found[0], values


def send(client: Client, form: Filled, values: Mapping[str, Any]) -> Any:
    return client.post(form.action or form.page, values)

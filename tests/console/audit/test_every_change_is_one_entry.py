"""Every door through which people and programs change something leaves exactly one entry, of the right kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from console.audit import verifying
from console.audit.entry import AuditEntry
from console.models import User
from deployments import desired, document
from deployments.drifting import REPAIR
from deployments.leftovers import GONE_AFTER
from deployments.models import CatalogModel, Cluster, Deployment, Endpoint, Provider
from deployments.spec import Limit, Pricing, RateLimits, Variable
from deployments.vocabulary import DriftPolicy, LimitScope, Sharing
from metering import issuing, limit_changes
from metering.latency.target_form import TargetForm
from metering.limit_changes import Amounts
from metering.models import ApiKey
from tests.console.audit.conftest import Since
from tests.deployments.catalog.conftest import fields as model_fields
from tests.deployments.clusters.conftest import fields as cluster_fields
from tests.deployments.clusters.conftest import kubeconfig
from tests.deployments.pages import world

pytestmark = pytest.mark.django_db
CANARY = "canary-that-no-entry-may-show"


class Place:
    """What the doors work on: a deployment, a key, and an administrator with a browser."""

    def __init__(self, folder: Path) -> None:
        self.secret = Variable("PASSPHRASE_OF_MINE", "", secret=True)
        self.chat = world.deployment("chat", secrets={self.secret.name: CANARY}, environment=(self.secret,))
        self.acme = world.organization("acme")
        self.bea = world.tenant("bea@acme.example", "acme")
        self.ada = world.person("ada@example.com")
        self.web = world.signed_in(self.ada)
        self.key, _ = issuing.issue(user=self.bea, organization=self.acme, name="CI", by=None)
        self.folder = folder

    def revise(self, secrets: dict[str, str] | None = None, **changes: Any) -> None:
        spec = replace(self.chat.spec, **changes)
        desired.revise(self.chat, spec, author=self.ada, expected=1, secrets=secrets)

    def drift(self) -> None:
        Deployment.objects.update(drift={"changes": [{"object": "a/b"}], "repaired": False})
        desired.repair_now(self.chat, author=self.ada)
        assert Deployment.objects.get().drift[REPAIR]

    def abandon(self) -> None:
        Cluster.objects.update(unreachable_since=timezone.now() - GONE_AFTER)
        desired.abandon(self.chat, author=self.ada)

    def target(self) -> None:
        form = TargetForm(None, {"ttft_ms": "400", "itl_ms": ""})
        assert form.is_valid()
        form.save(self.chat)

    def post(self, address: str, **data: Any) -> None:
        answer = self.web.post(address, data)
        assert answer.status_code == 302, answer.content.decode()

    def endpoint(self, **changes: Any) -> dict[str, Any]:
        cluster = Cluster.objects.get().pk
        routing = {"routing": "service", "tls": "none", "namespace": "models"}
        return {
            "name": "Two",
            "slug": "two",
            "hostname": "two.example",
            "cluster": cluster,
            **routing,
            **changes,
        }

    def bare(self) -> None:
        """Nothing uses the cluster, the endpoint and the model."""
        Deployment.objects.update(current=None)
        Deployment.objects.all().delete()

    def apply(self) -> None:
        file = self.folder / "chat.yaml"
        file.write_text(document.write(replace(self.chat.spec, description="From a file")))
        call_command("apply", str(file), stdout=StringIO())

    def mint(self) -> None:
        call_command("mint_key", "bea@acme.example", "--name", "tour", stdout=StringIO())


DOORS: dict[str, tuple[str, Callable[[Place], Any]]] = {
    "create": ("deployment.created", lambda p: desired.create(world.spec("two"), author=p.ada)),
    "revise": ("deployment.revised", lambda p: p.revise(description="Another")),
    "secret": ("deployment.revised", lambda p: p.revise({p.secret.name: CANARY + "-2"})),
    "priced": ("deployment.priced", lambda p: p.revise(pricing=Pricing("USD", Decimal(1), Decimal(2)))),
    "limited": ("deployment.limited", lambda p: p.revise(rate_limits=RateLimits(user=Limit(9, 9)))),
    "share": ("deployment.shared", lambda p: desired.share(p.chat, Sharing.ALL, (), author=p.ada)),
    "stop": ("deployment.stopped", lambda p: p.post("/deployments/chat/stop/")),
    "start": ("deployment.started", lambda p: (stop(p), desired.start(p.chat, author=p.ada))),
    "delete": ("deployment.deleted", lambda p: desired.delete(p.chat, author=p.ada)),
    "restart": ("deployment.restarted", lambda p: desired.restart(p.chat, author=p.ada, since=None)),
    "abandon": ("deployment.abandoned", lambda p: p.abandon()),
    "drift": (
        *("deployment.drift_policy_changed",),
        lambda p: desired.set_drift_policy(p.chat, DriftPolicy.LEAVE, author=p.ada),
    ),
    "repair": ("deployment.repaired", lambda p: p.drift()),
    "apply": ("deployment.revised", lambda p: p.apply()),
    "target": ("latency_target.changed", lambda p: p.target()),
    "shadow": ("limits.shadowed", lambda p: limit_changes.set_shadow(p.chat, shadow=True)),
    "enforce": ("limits.enforced", lambda p: (shadow(p), limit_changes.set_shadow(p.chat, shadow=False))),
    "exception": ("limit_exception.set", lambda p: exception(p)),
    "no exception": (
        *("limit_exception.removed",),
        lambda p: (exception(p), limit_changes.remove_exception(p.chat, p.acme)),
    ),
    "issue": (
        *("api_key.issued",),
        lambda p: issuing.issue(user=p.bea, organization=p.acme, name="X", by=p.ada),
    ),
    "rotate": ("api_key.rotated", lambda p: issuing.rotate(p.key, overlap=timedelta(days=1), by=p.ada)),
    "revoke": ("api_key.revoked", lambda p: issuing.revoke(p.key, by=p.ada)),
    "mint": ("api_key.issued", lambda p: p.mint()),
    "add provider": ("provider.created", lambda p: p.post("/models/providers/new/", name="New", slug="new")),
    "add model": (
        *("model.created",),
        lambda p: p.post("/models/new/", **model_fields(Provider.objects.get(), weights_token=CANARY)),
    ),
    "edit model": (
        *("model.edited",),
        lambda p: p.post(
            "/models/llama-8b/edit/", **model_fields(Provider.objects.get(), slug="llama-8b", ngc_key=CANARY)
        ),
    ),
    "delete model": ("model.deleted", lambda p: (p.bare(), p.post("/models/llama-8b/delete/"))),
    "add cluster": (
        *("cluster.created",),
        lambda p: p.post(
            "/clusters/new/",
            **cluster_fields(kubeconfig_text=kubeconfig("https://127.0.0.1:9"), ngc_key=CANARY),
        ),
    ),
    "edit cluster": (
        *("cluster.edited",),
        lambda p: p.post(
            "/clusters/fra-1/edit/",
            **cluster_fields(slug="fra-1", kubeconfig_text=kubeconfig("https://127.0.0.1:9")),
        ),
    ),
    "delete cluster": (
        *("cluster.deleted",),
        lambda p: (p.bare(), Endpoint.objects.all().delete(), p.post("/clusters/fra-1/delete/")),
    ),
    "add endpoint": ("endpoint.created", lambda p: p.post("/endpoints/new/", **p.endpoint())),
    "edit endpoint": (
        *("endpoint.edited",),
        lambda p: p.post("/endpoints/main/edit/", **p.endpoint(slug="main", hostname="models.example.com")),
    ),
    "delete endpoint": ("endpoint.deleted", lambda p: (p.bare(), p.post("/endpoints/main/delete/"))),
}
NO_DOORS = {
    *("Conflict", "name_taken"),  # no functions that change anything
    *("endpoint_changed", "key_changed", "look_again"),  # another look, which wants nothing new
    "roll_back",  # a revision like any other
}
PREPARED = {"deployment.started": 1, "limits.enforced": 1, "limit_exception.removed": 1}
"""Entries of what has to be done first."""


def stop(place: Place) -> None:
    desired.stop(place.chat, author=place.ada)


def shadow(place: Place) -> None:
    limit_changes.set_shadow(place.chat, shadow=True)


def exception(place: Place) -> None:
    limit_changes.set_exception(place.chat, place.acme, {LimitScope.USER: Amounts(None, 5)})


@pytest.fixture
def place(db: None, tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_no_door_of_deployments_is_forgotten() -> None:
    source = Path(__file__).read_text()
    used = {name for name in desired.__all__ if f"desired.{name}(" in source}
    assert set(desired.__all__) - NO_DOORS - used == set()


@pytest.mark.parametrize("door", DOORS)
def test_a_change_is_one_entry(door: str, place: Place, since: Callable[[], Since]) -> None:
    action, change = DOORS[door]
    new = since()
    change(place)
    entries = new()[PREPARED.get(action, 0) :]
    assert [entry.action for entry in entries] == [action]
    assert entries[0].object_name
    assert verifying.verify().found is None
    kept = str(list(AuditEntry.objects.values_list()))
    assert CANARY not in kept
    assert "slipway_" not in kept.replace(ApiKey.objects.order_by("pk")[0].prefix, "") or door in {
        *("mint", "issue", "rotate"),
    }


@pytest.mark.parametrize(
    "again",
    [
        lambda p: p.revise(),
        lambda p: desired.start(p.chat, author=p.ada),
        lambda p: desired.set_drift_policy(p.chat, DriftPolicy(p.chat.drift_policy), author=p.ada),
        lambda p: desired.share(p.chat, Sharing.PRIVATE, (), author=p.ada),
        lambda p: limit_changes.set_shadow(p.chat, shadow=False),
        lambda p: limit_changes.remove_exception(p.chat, p.acme),
        lambda p: desired.look_again(p.chat),
    ],
)
def test_what_changes_nothing_leaves_nothing(
    place: Place, since: Callable[[], Since], again: Callable[[Place], Any]
) -> None:
    new = since()
    again(place)
    assert new() == []


def test_a_revision_says_what_it_changed(place: Place, since: Callable[[], Since]) -> None:
    new = since()
    engine = replace(place.chat.spec.engine, tag="v0.34.0", arguments=("--api-key", CANARY, "--seed", "1"))
    place.revise({place.secret.name: CANARY + "-2"}, engine=engine, description="Better")
    (entry,) = new()
    assert entry.changes == {
        "revision": [1, 2],
        "engine.tag": ["v0.33.0", "v0.34.0"],
        "engine.arguments": [[], ["--api-key", "Secret", "--seed", "1"]],
        "description": ["", "Better"],
        f"environment.{place.secret.name}": ["Secret", "Another secret"],
    }


def test_the_person_of_the_request_is_named_and_a_command_is_a_program(
    place: Place, since: Callable[[], Since]
) -> None:
    new = since()
    place.post("/deployments/chat/stop/")
    place.mint()
    by_hand, by_command = new()
    assert (by_hand.actor_kind, by_hand.actor, by_hand.actor_id) == (
        "person",
        "ada@example.com",
        place.ada.pk,
    )
    assert by_hand.address == "127.0.0.1"
    assert len(by_hand.request_id) == 32
    assert (by_command.actor_kind, by_command.actor) == ("program", "manage.py mint_key")
    assert (by_command.organization, by_command.address, by_command.request_id) == ("acme", "", "")


def test_a_key_is_named_by_its_beginning(place: Place, since: Callable[[], Since]) -> None:
    new = since()
    made, text = issuing.issue(user=place.bea, organization=place.acme, name="X", by=place.ada)
    (entry,) = new()
    assert entry.object_name == f"X ({made.prefix}…)"
    assert entry.organization == "acme"
    assert text not in str(list(AuditEntry.objects.values_list()))


def test_the_admin_of_django_is_a_door_like_the_others(place: Place, since: Callable[[], Since]) -> None:
    root = User.objects.create_superuser("root@example.com", "a long enough password", name="Root")
    web = world.signed_in(root)
    new = since()
    cluster = Cluster.objects.get()
    form = {"name": "Frankfurt", "ngc_key": CANARY, "prometheus_url": ""}
    assert web.post(f"/admin/deployments/cluster/{cluster.pk}/change/", form).status_code == 302
    (entry,) = new()
    assert (entry.action, entry.actor) == ("cluster.edited", "root@example.com")
    assert entry.changes["ngc_key"] == [None, "Secret"]
    assert set(entry.changes) == {"name", "ngc_key"}


def test_a_dry_run_leaves_nothing(place: Place, since: Callable[[], Since]) -> None:
    file = place.folder / "chat.yaml"
    file.write_text(document.write(replace(place.chat.spec, description="From a file")))
    new = since()
    call_command("apply", str(file), "--dry-run", stdout=StringIO())
    assert new() == []


def test_the_example_is_made_by_a_program(since: Callable[[], Since]) -> None:
    new = since()
    call_command("seed", stdout=StringIO())
    first = new()
    assert {entry.actor for entry in first} == {"manage.py seed"}
    assert {"organization.created", "person.created", "provider.created", "model.created"} <= {
        entry.action for entry in first
    }
    call_command("seed", stdout=StringIO())
    assert len(new()) == len(first)
    assert CatalogModel.objects.exists()

"""Django admin: behind the console's sign-in and roles, without secrets, and no way around what the domain holds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from console.access import Permission, Role, can
from console.audit import record
from console.models import User
from console.operating import Records
from deployments.models import Cluster, Deployment, Price
from deployments.vocabulary import Phase
from metering.ledger import intake
from metering.models import ApiKey, UsageEvent, UsageReject
from tests.deployments.pages import world
from tests.metering.ledger.conftest import Place, entries, own_partitions, place

__all__ = ["own_partitions", "place"]

pytestmark = pytest.mark.django_db
MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
SECRETS = ("hf_canary_of_a_token", "kubeconfig-canary", "nvapi-canary", "digest-of-a-key")


@pytest.fixture
def records(place: Place) -> Place:
    """A row of everything, with secrets wherever there can be one."""
    cluster = place.deployment.endpoint.cluster
    cluster.kubeconfig, cluster.ngc_key = SECRETS[1], SECRETS[2]
    cluster.save()
    place.deployment.model.weights_token = SECRETS[0]
    place.deployment.model.save()
    world.move(place.deployment, Phase.FAILED, timezone.now(), sentence="It crashed.")
    place.price(timezone.now() - timedelta(days=1), "1", "2")
    assert intake.take(entries(place.event(), b"no event"), timezone.now()).recorded == 1
    record("deployment.stopped", place.deployment, after={"by": "x"})
    ApiKey.objects.filter(pk=place.key.pk).update(digest=SECRETS[3])
    return place


def person(role: Role | None) -> User:
    return world.person(f"{role or 'tenant'}@example.com", role)


def of(model: Any, page: str = "changelist", *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def pages(model: Any) -> Iterator[str]:
    """The list, and the first row."""
    yield of(model)
    for row in model._default_manager.all()[:1]:
        yield of(model, "change", row.pk)


def test_everything_that_operators_need_is_there() -> None:
    names = {model._meta.model_name for model in MODELS}
    assert names >= {
        *("provider", "catalogmodel", "cluster", "endpoint", "deployment", "transition", "price"),
        *(
            "organization",
            "user",
            "auditentry",
            "apikey",
            "ledgerentry",
            "usagehour",
            "usagereject",
            "gpurate",
        ),
    }
    assert all(isinstance(shown, Records) for shown in admin.site._registry.values())


@pytest.mark.parametrize("role", [*Role, None])
def test_each_page_asks_for_the_right_of_its_records(records: Place, role: Role | None) -> None:
    user = person(role)
    web = world.signed_in(user)
    inside = can(user, Permission.DEPLOY)
    for model in MODELS:
        shown: Any = admin.site._registry[model]
        for address in pages(model):
            wanted = 404 if role is None else 200 if inside and can(user, shown.looks) else 403
            answer = web.get(address, follow=True)
            assert answer.status_code == wanted, (role, address)
            if wanted == 200:
                text = answer.content.decode()
                assert not any(secret in text for secret in SECRETS), address


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.model_name)
def test_nothing_is_deleted_or_added(records: Place, model: Any) -> None:
    web = world.signed_in(person(Role.ADMINISTRATOR))
    row = model._default_manager.first()
    before = set(model._default_manager.values_list("pk", flat=True))
    if row is not None:
        assert web.post(of(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    added = web.post(of(model, "add"), {})
    assert added.status_code == (
        200 if model is Price else 403
    )  # of prices, a form that says what is missing
    web.post(of(model), {"action": "delete_selected", "_selected_action": ["1"], "post": "yes"})
    after = set(model._default_manager.values_list("pk", flat=True))
    # Each of the attempts is in the audit, and nowhere else.
    assert after >= before if model._meta.model_name == "auditentry" else after == before


def test_the_ledger_and_the_audit_cannot_be_changed(records: Place) -> None:
    web = world.signed_in(person(Role.ADMINISTRATOR))
    event = UsageEvent.objects.get()
    for model, pk in ((_model("ledgerentry"), event.id), (_model("auditentry"), 1)):
        assert web.get(of(model, "change", pk)).status_code == 200
        assert web.post(of(model, "change", pk), {"amount": "0", "actor": "nobody"}).status_code == 403
    assert UsageEvent.objects.get().amount == event.amount


def _model(name: str) -> Any:
    return next(model for model in MODELS if model._meta.model_name == name)


def test_a_request_is_found_by_its_id_in_the_partition_that_it_tells(records: Place) -> None:
    web = world.signed_in(person(Role.OPERATOR))
    event = UsageEvent.objects.get()
    model = _model("ledgerentry")
    for text in (str(event.id), event.id.hex, f" {event.id} "):
        assert str(event.id) in web.get(of(model), {"q": text}).content.decode()
    assert "0 ledger entries" in web.get(of(model), {"q": "not-an-id"}).content.decode()
    with CaptureQueriesContext(connection) as captured:
        web.get(of(model, "change", event.id))
    asked = [each["sql"] for each in captured if "metering_usageevent" in each["sql"]]
    assert asked
    assert all("started_at" in sql.partition("WHERE")[2] for sql in asked)


def test_a_stuck_rollout_is_found_and_looked_at_again(records: Place) -> None:
    stuck = world.deployment("stuck")
    refusal = {"code": "denied", "sentence": "Denied by policy.", "remedy": "", "at": "", "terminal": True}
    Deployment.objects.filter(pk=stuck.pk).update(refusal=refusal, attempts=7, reconcile_due_at=None)
    web = world.signed_in(person(Role.OPERATOR))
    found = web.get(of(Deployment), {"stuck": "refused"}).content.decode()
    assert "stuck" in found
    assert "Denied by policy." in found
    assert ">chat<" not in found
    web.post(of(Deployment), {"action": "look_again", "_selected_action": [stuck.pk]})
    stuck.refresh_from_db()
    assert (stuck.refusal, stuck.attempts, stuck.reconcile_due_at is None) == (None, 0, False)


@pytest.mark.parametrize("why", ["overdue", "unseen", "unapplied", "going", "nonsense"])
def test_each_reason_to_be_stuck_can_be_asked_for(records: Place, why: str) -> None:
    Deployment.objects.update(
        reconcile_due_at=timezone.now() - timedelta(hours=1),
        applied_revision=0,
        changed_at=world.ago(hours=1),
    )
    shown = world.signed_in(person(Role.OPERATOR)).get(of(Deployment), {"stuck": why}).content.decode()
    assert (">chat<" in shown) == (why in {"overdue", "unapplied", "nonsense"})


def test_a_price_is_added_as_a_revision_and_never_changed(records: Place) -> None:
    given = {
        "deployment": records.deployment.pk,
        "currency": "eur",
        "input_per_million": "0.25",
        "output_per_million": "1.5",
        "cached_input_per_million": "",
    }
    operator = world.signed_in(person(Role.OPERATOR))
    assert operator.post(of(Price, "add"), given).status_code == 403
    web = world.signed_in(person(Role.ADMINISTRATOR))
    for field, odd in (("input_per_million", "-1"), ("currency", "BTC"), ("output_per_million", "NaN")):
        assert web.post(of(Price, "add"), given | {field: odd}).status_code == 200
    assert Price.objects.count() == 1
    assert web.post(of(Price, "add"), given).status_code == 302
    newest = records.deployment.prices.first()
    assert newest is not None
    assert (newest.currency, str(newest.input_per_million)) == ("EUR", "0.250000000000")
    fresh = Deployment.objects.get(pk=records.deployment.pk)
    assert fresh.current is not None
    assert fresh.current.number == 2
    assert fresh.spec.pricing is not None
    assert fresh.spec.pricing.currency == "EUR"
    assert web.post(of(Price, "change", newest.pk), given | {"input_per_million": "9"}).status_code == 403


def test_keys_are_revoked_through_the_one_door(records: Place) -> None:
    operator = world.signed_in(person(Role.OPERATOR))
    chosen = {"action": "revoke", "_selected_action": [records.key.pk]}
    operator.post(of(ApiKey), chosen)
    records.key.refresh_from_db()
    assert records.key.revoked_at is None  # operators lack the right
    administrator = person(Role.ADMINISTRATOR)
    world.signed_in(administrator).post(of(ApiKey), chosen)
    records.key.refresh_from_db()
    assert (records.key.revoked_at is None, records.key.revoked_by) == (False, administrator)


def test_a_record_that_is_mended_is_in_the_audit_with_its_secret_masked(records: Place) -> None:
    cluster = Cluster.objects.get()
    web = world.signed_in(person(Role.ADMINISTRATOR))
    given = {"name": "Frankfurt", "ngc_key": "nvapi-another-canary", "prometheus_url": ""}
    assert web.post(of(Cluster, "change", cluster.pk), given).status_code == 302
    entry = _model("auditentry").objects.first()
    assert (entry.action, entry.changes["name"]) == ("cluster.edited", ["fra-1", "Frankfurt"])
    assert "canary" not in str(entry.changes)


def test_lists_cost_the_same_at_any_size(records: Place) -> None:
    web = world.signed_in(person(Role.ADMINISTRATOR))

    def queries(address: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert web.get(address).status_code == 200
        return len(captured)

    few = {model: queries(of(model)) for model in MODELS}
    for number in range(30):
        world.deployment(f"more-{number}")
        world.tenant(f"t{number}@acme.example", "acme")
        UsageReject.objects.create(entry=f"e-{number}", reason="Odd.", payload=b"")
    assert {model: queries(of(model)) for model in MODELS} == few


def test_strangers_sign_in_on_the_one_page() -> None:
    answer = Client().get("/admin/login/", {"next": "/admin/deployments/"})
    assert (answer.status_code, answer["Location"]) == (302, "/sign-in/?next=/admin/deployments/")
    web = world.signed_in(person(Role.ADMINISTRATOR))
    assert web.post("/admin/logout/")["Location"] == "/sign-out/"
    assert web.get("/admin/password_change/").status_code == 404

"""Every address of the console, as a stranger, a tenant and a viewer. An address without a row fails here."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from console.access import Role
from console.models import Subscription
from deployments.models import Draft
from metering.models import ApiKey
from tests.deployments.pages import world

pytestmark = pytest.mark.django_db
DRAFT = uuid.UUID(int=7)
#: Beyond what the sequences of a test's database give out.
KEY = 7_000_001
SUBSCRIPTION = 7_000_002


@dataclass(frozen=True)
class Row:
    """What answers to reading, and to writing, as a viewer; `tenant` is what a tenant gets for reading."""

    read: int
    write: int
    args: tuple[Any, ...] = ()
    tenant: int = 404
    tenant_write: int = 0
    """What a tenant gets for writing, where it is not what a viewer gets."""
    is_public: bool = False
    """Strangers get in without signing in."""
    stranger: int = 200
    """What they get, where that is no page for them."""


def reading(*args: Any) -> Row:
    """A page that viewers read and nobody writes."""
    return Row(200, 405, args)


def changing(*args: Any) -> Row:
    """A form for people with a right that viewers lack."""
    return Row(403, 403, args)


ROWS = {
    # people
    "home": Row(200, 405, tenant=302),
    "healthz": Row(200, 405, tenant=200, is_public=True),
    "readyz": Row(503, 405, tenant=503, is_public=True),  # no worker runs beside this test
    "account_login": Row(302, 302, tenant=302, is_public=True),
    "account_logout": Row(200, 302, tenant=200),
    "account_change_password": Row(200, 200, tenant=200),
    "account_reset_password": Row(200, 200, tenant=200, is_public=True),
    "account_reset_password_done": Row(200, 405, tenant=200, is_public=True),
    "account_reset_password_from_key": Row(200, 200, ("1", "no-key"), tenant=200, is_public=True),
    "account_reset_password_from_key_done": Row(200, 405, tenant=200, is_public=True),
    "account_reauthenticate": Row(200, 200, tenant=200),
    "account_inactive": Row(200, 405, tenant=200, is_public=True),
    "account_signup": Row(302, 302, tenant=302, is_public=True),
    # sessions, second factors, single sign-on
    "usersessions_list": Row(200, 405, tenant=200),
    "session_end": Row(405, 404, (7,), tenant=405),
    "session_end_others": Row(405, 302, tenant=405, tenant_write=302),
    "mfa_authenticate": Row(302, 302, tenant=302, is_public=True, stranger=302),
    "mfa_index": Row(200, 405, tenant=200),
    "mfa_activate_totp": Row(200, 200, tenant=200),
    "mfa_deactivate_totp": Row(404, 404),
    "mfa_view_recovery_codes": Row(200, 405, tenant=200),
    "recovery_codes_show": Row(405, 302, tenant=405, tenant_write=302),
    "recovery_codes_make": Row(405, 302, tenant=405, tenant_write=302),
    "recovery_codes_download": Row(405, 302, tenant=405, tenant_write=302),
    "mfa_add_webauthn": Row(200, 200, tenant=200),
    "mfa_remove_webauthn": Row(404, 404, (7,)),
    "mfa_login_webauthn": Row(302, 302, tenant=302, is_public=True, stranger=302),
    "single_sign_on": Row(405, 404, tenant=405, is_public=True, stranger=405),
    "single_sign_on_confirm": Row(405, 404, tenant=405),
    "single_sign_on_callback": Row(404, 405, is_public=True, stranger=404),
    # everybody's accounts
    "person_list": Row(403, 405),
    "person_invite": changing(),
    "person_join": Row(410, 410, ("MQ", "no-proof"), tenant=410, is_public=True, stranger=410),
    "person_detail": Row(403, 405, (1,)),
    "person_role": Row(405, 403, (1,), tenant=405),
    "person_invite_again": Row(405, 403, (1,), tenant=405),
    "person_deactivate": Row(405, 403, (1,), tenant=405),
    "person_reactivate": Row(405, 403, (1,), tenant=405),
    "person_sign_out": Row(405, 403, (1,), tenant=405),
    "person_reset_second_factor": Row(405, 403, (1,), tenant=405),
    # organisations; "acme" is the tenant's own, whose member is no owner
    "organization_list": reading(),
    "organization_create": changing(),
    "organization_detail": reading("acme"),
    "organization_edit": changing("acme"),
    "organization_members": Row(200, 403, ("acme",)),
    "organization_limits": reading("acme"),
    "organization_suspend": changing("acme"),
    "organization_resume": Row(405, 403, ("acme",), tenant=405),
    "portal_members": Row(404, 404, tenant=200, tenant_write=403),
    "invitation_follow": Row(302, 405, ("no-token",), tenant=302, is_public=True, stranger=302),
    "invitation_join": Row(410, 410, tenant=410, is_public=True, stranger=410),
    # models
    "model_list": reading(),
    "model_detail": reading("llama-8b"),
    "model_create": changing(),
    "model_edit": changing("llama-8b"),
    "model_delete": changing("llama-8b"),
    "provider_create": changing(),
    # the wizard
    "model_deploy": changing("llama-8b"),
    "deployment_edit": changing("chat"),
    "draft_review": changing(DRAFT),
    "draft_delete": Row(405, 403, (DRAFT,), tenant=405),
    "draft_step": changing(DRAFT, "general"),
    "deployment_name_check": Row(403, 405),
    # deployments
    "deployment_list": reading(),
    "deployment_import": changing(),
    "deployment_detail": reading("chat"),
    "deployment_configuration": reading("chat"),
    "deployment_metrics": Row(200, 403, ("chat",)),
    "deployment_logs": reading("chat"),
    "deployment_revisions": reading("chat"),
    "deployment_revision": reading("chat", 1),
    "deployment_compare": reading("chat"),
    "deployment_revision_document": reading("chat", 1),
    "deployment_roll_back": changing("chat", 1),
    "deployment_clone": changing("chat", 1),
    "deployment_sharing": Row(200, 403, ("chat",)),
    "deployment_yaml": reading("chat"),
    "deployment_download": reading("chat"),
    "deployment_stop": changing("chat"),
    "deployment_start": changing("chat"),
    "deployment_delete": changing("chat"),
    "deployment_restart": changing("chat"),
    "deployment_abandon": changing("chat"),
    "deployment_drift": changing("chat"),
    "deployment_repair": Row(405, 403, ("chat",), tenant=405),
    "deployment_look_again": Row(405, 403, ("chat",), tenant=405),
    # clusters and endpoints
    "cluster_list": reading(),
    "cluster_detail": reading("fra-1"),
    "cluster_create": changing(),
    "cluster_edit": changing("fra-1"),
    "cluster_check": Row(405, 403, ("fra-1",), tenant=405),
    "cluster_delete": changing("fra-1"),
    "endpoint_list": reading(),
    "endpoint_detail": reading("main"),
    "endpoint_create": changing(),
    "endpoint_edit": changing("main"),
    "endpoint_check": Row(405, 403, ("main",), tenant=405),
    "endpoint_delete": changing("main"),
    "deployment_limits": Row(200, 403, ("chat",)),
    "fleet": reading(),
    # usage, for those who may see everybody's
    "deployment_usage": Row(403, 405, ("chat",)),
    "cluster_gpu_costs": changing("fra-1"),
    "usage": Row(403, 405),
    "usage_correctness": Row(403, 405),
    "usage_invoices": Row(403, 405),
    "usage_month": Row(403, 405, ("2026-11",)),
    "usage_invoice": Row(403, 405, ("2026-11", "acme")),
    # the API: its operations are asked one by one in tests/console/api
    "api_document": Row(200, 405, is_public=True, stranger=401),
    "api_reference": reading(),
    "api_root": Row(404, 404, is_public=True, stranger=404),
    "api_missing": Row(404, 404, is_public=True, stranger=404),
    "access_key_list": reading(),
    "access_key_create": Row(200, 200),
    "access_key_revoke": Row(405, 404, (7,), tenant=405),
    # the audit, for those who may see who did what
    "audit": Row(403, 405),
    "audit_entry": Row(403, 405, (1,)),
    "audit_export": Row(403, 405, ("csv",)),
    # notifications, and the budgets that they tell of
    "notification_list": Row(403, 405),
    "notification_create": changing("webhook"),
    "notification_detail": Row(403, 405, (SUBSCRIPTION,)),
    "notification_edit": changing(SUBSCRIPTION),
    "notification_test": Row(405, 403, (SUBSCRIPTION,), tenant=405),
    "notification_secret": changing(SUBSCRIPTION),
    "notification_delete": changing(SUBSCRIPTION),
    "notification_again": Row(405, 403, (1,), tenant=405),
    "budget_list": Row(403, 405),
    "organization_budget": changing("globex"),
    # API keys; a platform's people without an organisation have no portal
    "key_list": reading(),
    "key_create": changing(),
    "key_detail": reading(KEY),
    "key_rotate": changing(KEY),
    "key_revoke": changing(KEY),
    "portal_key_list": Row(404, 404, tenant=200, tenant_write=405),
    "portal_key_create": Row(404, 404, tenant=200, tenant_write=422),
    "portal_key_detail": Row(404, 404, (KEY,)),
    "portal_key_rotate": Row(404, 404, (KEY,)),
    "portal_key_revoke": Row(404, 404, (KEY,)),
    # the portal, where a platform's people without an organisation find nothing
    "portal_models": Row(404, 405, tenant=200),
    "portal_model": Row(404, 405, ("chat",)),  # not shared with anybody
    "portal_playground": Row(404, 404, tenant=200, tenant_write=404),  # no model to talk to
    "portal_answer": Row(405, 404, tenant=405, tenant_write=422),
    "portal_usage": Row(404, 405, tenant=200),
    "portal_bills": Row(404, 405),  # for owners
    "portal_bill": Row(404, 405, ("2026-11",)),
    "portal_choose": Row(405, 404, tenant=405),
    "portal_end_look": Row(405, 403, tenant=405),
    "organization_view_as": Row(405, 403, ("globex",), tenant=405),
}


def patterns(resolver: Any = None) -> Iterator[URLPattern]:
    """Every address but those of Django's own admin, which guards itself, and the operations of the API."""
    for entry in (resolver or get_resolver()).url_patterns:
        if isinstance(entry, URLResolver):
            if entry.namespace not in {"admin", "api"}:
                yield from patterns(entry)
        else:
            yield entry


@pytest.fixture(autouse=True)
def world_of_rows(db: None, valkey: Any) -> None:
    """What the sample arguments name; the draft belongs to somebody else."""
    world.deployment("chat")
    ada = world.person("ada@example.com")
    Draft.objects.create(pk=DRAFT, author=ada, model=world.model())
    Subscription.objects.create(pk=SUBSCRIPTION, name="On-call", channel="webhook")
    gil = world.tenant("gil@globex.example", "globex")
    world.organization("acme")
    ApiKey.objects.create(
        pk=KEY, user=gil, organization=gil.organizations.get(), name="Gil's", digest="0" * 64
    )


def ask(client: Client, name: str) -> tuple[int, int]:
    """The statuses of reading and of writing nothing."""
    address = reverse(name, args=ROWS[name].args)
    return client.get(address).status_code, client.post(address).status_code


def test_every_address_has_a_row_and_a_name() -> None:
    assert {entry.name for entry in patterns()} == set(ROWS)


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if not row.is_public])
def test_a_stranger_signs_in_first(name: str) -> None:
    address = reverse(name, args=ROWS[name].args)
    for answer in (Client().get(address), Client().post(address)):
        if answer.status_code != 405:
            assert answer.status_code == 302, name
            assert answer["Location"].partition("?")[0] == "/sign-in/", name


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.is_public])
def test_what_is_public_needs_nobody(name: str) -> None:
    answer = Client().get(reverse(name, args=ROWS[name].args))
    assert answer.status_code == (503 if name == "readyz" else ROWS[name].stranger)


@pytest.mark.parametrize("name", ROWS)
def test_a_tenant_finds_only_home_and_the_account(name: str) -> None:
    row = ROWS[name]
    read, write = ask(world.signed_in(world.tenant("bea@acme.example", "acme")), name)
    assert read == row.tenant
    closed = row.tenant in {404, 405} and not row.tenant_write
    assert write in ({404, 405} if closed else {row.tenant_write or row.write})


@pytest.mark.parametrize("name", ROWS)
def test_a_viewer_reads_and_changes_nothing(name: str) -> None:
    viewer = world.signed_in(world.person("vic@example.com", Role.VIEWER))
    assert ask(viewer, name) == (ROWS[name].read, ROWS[name].write)


@pytest.mark.parametrize(
    ("name", "read"), [("draft_step", 404), ("draft_review", 404), ("draft_delete", 405)]
)
def test_a_draft_of_somebody_else_is_not_there(name: str, read: int) -> None:
    operator = world.signed_in(world.person("op@example.com", Role.OPERATOR))
    assert ask(operator, name) == (read, 404)
    assert Draft.objects.filter(pk=DRAFT).exists()


@pytest.mark.parametrize("address", ["/admin/", "/admin/console/", "/admin/login/"])
def test_the_admin_of_django_is_for_operators(address: str) -> None:
    def walk(client: Client) -> Any:
        answer = client.get(address, follow=True)
        return answer.redirect_chain[-1][0].partition("?")[0] if answer.redirect_chain else "", answer

    place, answer = walk(Client())
    assert (place, answer.status_code) == ("/sign-in/", 200)
    for role, status in ((None, 404), (Role.VIEWER, 403), (Role.BILLING, 403), (Role.OPERATOR, 200)):
        _, answer = walk(world.signed_in(world.person(f"{role}@example.com", role)))
        assert answer.status_code == status, role

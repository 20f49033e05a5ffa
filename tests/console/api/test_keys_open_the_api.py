"""An access key opens the API for as long as it lives, and for no more than its owner may at that moment."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from console.access import Permission, Role
from console.access_key import AccessKey
from console.api import issuing
from console.people import roles
from tests.console.api.conftest import Caller, caller, problem
from tests.deployments.pages import world

pytestmark = pytest.mark.django_db


def test_a_live_key_reads_and_is_noted_as_used(admin: Caller) -> None:
    world.deployment("chat")
    assert [each["name"] for each in admin("GET", "/deployments").json()["items"]] == ["chat"]
    admin.key.refresh_from_db()
    assert admin.key.last_used_at is not None


@pytest.mark.parametrize(
    "header",
    ["Bearer ", "Bearer nonsense", "Basic YTpi", "slipway_access_x", f"Bearer {'x' * 5000}", "Bearer \u00e6"],
)
def test_what_is_no_key_is_nobodys(admin: Caller, header: str) -> None:
    said = problem(admin("GET", "/models", authorization=header), 401)
    assert "access key" in said["detail"]
    # Everything is answered the same way, also a whole key with one other letter.
    other = admin.text[:-1] + ("a" if admin.text[-1] != "a" else "b")
    assert problem(admin("GET", "/models", authorization=f"Bearer {other}"), 401) == said


def test_without_a_key_nobody_is_known(admin: Caller) -> None:
    answer = Client().get("/api/v1/models")
    problem(answer, 401)
    assert answer["WWW-Authenticate"] == "Bearer"


def test_an_expired_key_is_over(admin: Caller) -> None:
    AccessKey.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    problem(admin("GET", "/models"), 401)


def test_a_revoked_key_is_over(admin: Caller) -> None:
    answer = admin("DELETE", f"/access-keys/{admin.key.pk}")
    assert answer.status_code == 204
    problem(admin("GET", "/models"), 401)


def test_the_key_of_somebody_who_was_deactivated_is_over(admin: Caller) -> None:
    admin.user.is_active = False
    admin.user.save()
    problem(admin("GET", "/models"), 401)


def test_a_key_loses_what_its_owner_loses(valkey: Any) -> None:
    world.person("root@example.com")
    who = caller(Role.OPERATOR)
    assert who("POST", "/models", {}).status_code == 422
    roles.change(who.user, Role.VIEWER)
    assert "manage_catalog" in problem(who("POST", "/models", {}), 403)["detail"]
    roles.change(who.user, None)
    problem(who("GET", "/models"), 404)


def test_a_key_without_scopes_only_reads(valkey: Any) -> None:
    who = caller(scopes=[])
    assert who("GET", "/models").status_code == 200
    problem(who("POST", "/models", {}), 403)


def test_a_key_makes_no_key_that_may_more_than_itself(valkey: Any) -> None:
    who = caller(scopes=[Permission.CATALOG])
    problem(who("POST", "/access-keys", {"name": "more", "scopes": ["manage_prices"]}), 403)
    problem(who("POST", "/access-keys", {"name": "longer", "scopes": ["manage_catalog"], "days": 2}), 403)
    AccessKey.objects.update(expires_at=timezone.now() + timedelta(days=7))
    made = who("POST", "/access-keys", {"name": "same", "scopes": ["manage_catalog"], "days": 6})
    assert made.status_code == 201
    assert AccessKey.objects.count() == 2


def test_a_key_ends_none_that_may_more_than_itself(valkey: Any) -> None:
    who = caller(scopes=[Permission.CATALOG])
    wider, _ = issuing.issue(
        owner=who.user, name="wide", scopes=[Permission.PRICES], life=timedelta(days=1), by=who.user
    )
    narrow, _ = issuing.issue(owner=who.user, name="narrow", scopes=[], life=timedelta(days=1), by=who.user)
    problem(who("DELETE", f"/access-keys/{wider.pk}"), 403)
    assert who("DELETE", f"/access-keys/{narrow.pk}").status_code == 204
    assert who("DELETE", f"/access-keys/{who.key.pk}").status_code == 204
    wider.refresh_from_db()
    assert wider.revoked_at is None


def test_the_text_of_a_key_is_shown_once_and_kept_nowhere(admin: Caller) -> None:
    body = {"name": "ci", "scopes": [], "days": 1}
    AccessKey.objects.update(expires_at=timezone.now() + timedelta(days=2))
    answer = admin("POST", "/access-keys", body, idempotency_key="one")
    text = answer.json()["key"]
    assert answer["Cache-Control"] == "no-store"
    kept = json.dumps([*AccessKey.objects.values()], default=str)
    assert text not in kept
    assert text not in admin("GET", "/access-keys").content.decode()
    again = admin("POST", "/access-keys", body, idempotency_key="one")
    assert problem(again, 409)["type"] == "shown-once"


def test_one_sees_and_ends_only_ones_own_keys(admin: Caller) -> None:
    who = caller(Role.VIEWER, [], "vic@example.com")
    assert [each["owner"] for each in who("GET", "/access-keys").json()["items"]] == ["vic@example.com"]
    problem(who("DELETE", f"/access-keys/{admin.key.pk}"), 404)
    # Who administers people sees everybody's.
    assert len(admin("GET", "/access-keys").json()["items"]) == 2
    assert admin("DELETE", f"/access-keys/{who.key.pk}").status_code == 204


def test_a_service_has_a_role_and_keys_and_nobody_signs_in_as_it(db: None, valkey: Any) -> None:
    root = world.person("root@example.com")
    account = issuing.service("ci", Role.OPERATOR)
    key, text = issuing.issue(
        owner=account, name="deploys", scopes=[Permission.DEPLOY], life=timedelta(days=1), by=root
    )
    who = Caller(account, key, text)
    assert who("DELETE", "/deployments/none").status_code == 404
    problem(who("POST", "/organizations", {}), 403)
    assert not account.has_usable_password()
    assert issuing.is_service(account)

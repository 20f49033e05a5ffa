"""E20: who is nobody's administrator sends ids and rights of others to every address: nothing changes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from console.access import Role
from console.models import Membership, Organization, User
from deployments.models import Deployment, Revision
from metering.models import ApiKey
from tests.console.people.test_every_address_is_guarded import KEY, ROWS
from tests.deployments.pages import world

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("world_of_rows")]


def client_of(kind: str) -> Client:
    if kind == "viewer":
        return world.signed_in(world.person("vic@example.com", Role.VIEWER))
    user = world.tenant("bea@acme.example", "acme")
    Membership.objects.filter(user=user).update(role=kind)
    return world.signed_in(user)


def wishes() -> list[dict[str, Any]]:
    theirs, gil = Organization.objects.get(slug="globex"), User.objects.get(email="gil@globex.example")
    rights = {"is_superuser": "on", "is_staff": "on", "is_active": "", "groups": "1", "role": "administrator"}
    prices = {
        "currency": "USD",
        "input": "0",
        "output": "0",
        "price": "0",
        "suspended_at": "",
        "is_admin": "1",
    }
    by_number = {"organization": theirs.pk, "organization_id": theirs.pk, "user": gil.pk, "user_id": gil.pk}
    by_name = {"organization": "globex", "organizations": "globex", "user": gil.email, "email": gil.email}
    one_of_theirs = {"id": KEY, "pk": KEY, "key": KEY, "number": KEY, "member": gil.pk, "deployments": "chat"}
    return [
        {
            **rights,
            **prices,
            **by_number,
            **one_of_theirs,
            "name": "Mine now",
            "slug": "globex",
            "overlap": "0",
        },
        {
            **rights,
            **prices,
            **by_name,
            **one_of_theirs,
            "name": "Mine now",
            "slug": "globex",
            "overlap": "0",
        },
    ]


def everything_of_others() -> str:
    people = User.objects.exclude(email__in=("bea@acme.example", "vic@example.com")).order_by("pk")
    mine = User.objects.filter(email__in=("bea@acme.example", "vic@example.com"))
    rows = [
        [*people.values("email", "name", "is_active", "is_staff", "is_superuser", "password")],
        [*mine.values("is_staff", "is_superuser", "groups")],
        [*Membership.objects.order_by("pk").values()],
        [*Organization.objects.order_by("pk").values()],
        [*ApiKey.objects.filter(organization__slug="globex").order_by("pk").values()],
        [*Deployment.objects.order_by("pk").values("name", "desired_state", "current")],
        [*Revision.objects.order_by("pk").values("pk")],
    ]
    return json.dumps(rows, default=str)


@pytest.mark.parametrize("kind", ["owner", "member", "viewer"])
def test_nothing_of_others_changes(kind: str) -> None:
    client, before = client_of(kind), everything_of_others()
    for body in wishes():
        for name, row in ROWS.items():
            if name in {"account_logout", "session_end_others", "account_change_password"}:
                continue
            answer = client.post(f"{reverse(name, args=row.args)}?organization=globex&user=gil", body)
            assert answer.status_code < 500, name
            assert everything_of_others() == before, name

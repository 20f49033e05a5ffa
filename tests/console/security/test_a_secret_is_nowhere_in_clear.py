"""E24: secrets of every kind are put in and changed, and then looked for at the finest log level and on every page.

Tables, Valkey, the cluster and files: tests/journeys/test_no_secret_gets_out.py, in a running stack.
"""

from __future__ import annotations

import logging
import re

import pytest
from django.test import Client
from django.urls import reverse

from deployments import desired
from deployments.models import Cluster, Deployment
from tests.console.api.conftest import Caller
from tests.console.people.test_every_address_is_guarded import ROWS
from tests.deployments.clusters.conftest import kubeconfig
from tests.deployments.pages import world

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("world_of_rows")]
TOKEN, NGC, ENVIRONMENT = "hf_canary1weights", "nvapi-canary2ngc", "canary3environment"
PASSWORD = "canary4 a good long password"
KUBECONFIG = "canary-token-that-no-page-may-show"


def put_in(admin: Caller) -> dict[str, str]:
    """Every kind of secret, by its name: given by people, or made here and shown once."""
    created = admin("PATCH", "/models/llama-8b", {"weights_token": TOKEN, "ngc_key": NGC})
    assert created.status_code == 200, created.content
    text = kubeconfig("https://192.0.2.1")
    assert KUBECONFIG in text
    made = admin("POST", "/clusters", {"slug": "osl-9", "name": "Oslo", "kubeconfig_text": text})
    assert made.status_code == 201, made.content
    assert made.json()["has_kubeconfig"]
    other = world.spec("secretive")
    desired.create(other, author=admin.user, secrets={"HF_EXTRA": ENVIRONMENT})
    key = admin("POST", "/access-keys", {"name": "ci"}, idempotency_key="k").json()["key"]
    tenant = {"user": "gil@globex.example", "organization": "globex", "name": "gil's"}
    made = admin("POST", "/api-keys", tenant, idempotency_key="t")
    assert made.status_code == 201, made.content
    rotated = admin("POST", f"/api-keys/{made.json()['id']}/rotate", {"overlap_seconds": 60}).json()["key"]
    client = world.signed_in(world.person("eve@example.com"))
    hook = {
        "name": "Night shift",
        "url": "https://hooks.example.com/",
        "kinds": ["deployment.failed"],
        "reach": "all",
        "is_on": "on",
    }
    page = client.post("/notifications/new/webhook/", hook).content.decode().replace("&#x3D;", "=")
    (signing,) = re.findall(r"whsec_[\w+/=]+", page)
    client.post(
        "/accounts/password/change/",
        {"oldpassword": "a long enough password", "password1": PASSWORD, "password2": PASSWORD},
    )
    client.post("/sign-in/", {"login": "eve@example.com", "password": PASSWORD + " wrong"})
    return {
        "weights": TOKEN,
        "ngc": NGC,
        "kubeconfig": KUBECONFIG,
        "environment": ENVIRONMENT,
        "access key": key[24:],
        "API key": made.json()["key"][20:],
        "rotated API key": rotated[20:],
        "webhook": signing[6:],
        "password": PASSWORD,
        "key of the caller": admin.text[24:],
    }


def found(secrets: dict[str, str], text: str) -> list[str]:
    return [name for name, secret in secrets.items() if secret and secret in text]


def test_no_log_line_has_any(admin: Caller, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.DEBUG, "django"):
        secrets = put_in(admin)
        admin("GET", "/models/none")
        admin("POST", "/models", {"weights_token": TOKEN})
    assert caplog.records
    for record in caplog.records:
        assert found(secrets, f"{record.getMessage()} {record.__dict__}") == [], record.name


def test_no_page_and_no_answer_has_any(admin: Caller) -> None:
    secrets = put_in(admin)
    client: Client = world.signed_in(world.person("ola@example.com"))
    addresses = [
        *(reverse(name, args=row.args) for name, row in ROWS.items() if name != "account_logout"),
        *(f"/clusters/osl-9/{part}" for part in ("", "edit/", "delete/")),
        *(
            f"/deployments/secretive/{part}"
            for part in ("", "yaml/", "configuration/", "edit/", "revisions/1/")
        ),
        f"/audit/?q={TOKEN}",
        "/audit/export.csv",
        "/admin/deployments/cluster/",
        f"/admin/deployments/cluster/{Cluster.objects.get(slug='osl-9').pk}/change/",
        f"/admin/deployments/deployment/{Deployment.objects.get(name='secretive').pk}/change/",
    ]
    shown = 0
    for address in addresses:
        if TOKEN not in address:
            answer = client.get(address, follow=True)
            assert answer.status_code in (200, 404, 405, 410, 503), address
            shown += answer.status_code == 200
            body = b"".join(answer.streaming_content) if answer.streaming else answer.content
            assert found(secrets, body.decode()) == [], address
    assert shown > 90
    for path in (
        "/models/llama-8b",
        "/clusters/osl-9",
        "/deployments/secretive",
        "/access-keys",
        "/api-keys",
    ):
        assert found(secrets, admin("GET", path).content.decode()) == [], path

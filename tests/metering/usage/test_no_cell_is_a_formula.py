"""E23: no file that people open in a spreadsheet begins a cell with a formula, whatever things are called."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest
from django.utils import timezone

from console.audit import Actor, ActorKind, Thing, acting_as, record
from console.models import Membership, Organization, User
from console.presentation.cells import neutral
from metering.ledger import intake
from metering.models import ApiKey
from tests.deployments.pages import world
from tests.metering.ledger.conftest import Place, entries

pytestmark = pytest.mark.django_db
FORMULA = "=cmd|' /C calc'!A0"
GROUPS = ("total", "organization", "model", "deployment", "user", "api-key", "api-key-and-model", "time")


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_a_name_is_never_a_formula(name: str) -> None:
    assert neutral(name) == f"'{name}"
    assert neutral("Acme") == "Acme"


def test_every_file_holds_texts_and_figures_only(place: Place) -> None:
    now = timezone.now()
    intake.take(entries(*(place.event(now - timedelta(days=days)) for days in (0, 1, 2))), now)
    Organization.objects.update(name=FORMULA)
    User.objects.update(name=FORMULA)
    ApiKey.objects.update(name=FORMULA)
    with acting_as(Actor(ActorKind.PERSON, FORMULA, 7)):
        record("cluster.edited", Thing("cluster", FORMULA), before={"a": FORMULA}, after={"a": "+1"})
    month, slug = f"{now:%Y-%m}", place.key.organization.slug
    administrator = world.signed_in(world.person("eve@example.com"))
    files = {
        path: administrator.get(path)
        for path in (
            *(f"/usage/?period=7d&by={group}&format=csv" for group in GROUPS),
            f"/usage/invoices/{month}/{slug}/?format=csv",
            "/fleet/?format=csv",
            f"/deployments/{place.deployment.name}/metrics/?format=csv",
            "/audit/export.csv",
        )
    }
    owner = place.key.user
    Membership.objects.filter(user=owner).update(role=Membership.Role.OWNER)
    files[f"/portal/bill/{month}/?format=csv"] = world.signed_in(owner).get(
        f"/portal/bill/{month}/?format=csv"
    )
    neutralised = 0
    for path, answer in files.items():
        assert answer.status_code == 200, path
        assert answer["Content-Type"].startswith("text/csv"), path
        text = (b"".join(answer.streaming_content) if answer.streaming else answer.content).decode()  # type: ignore[arg-type]
        rows = list(csv.reader(io.StringIO(text)))
        assert len(rows) > 1, path
        assert not [cell for row in rows for cell in row if cell[:1] in ("=", "+", "@", "\t", "\r", "\n")], (
            path
        )
        neutralised += text.count("'=cmd")
    assert neutralised >= 5, "the names are in the files, so that something is shown here"

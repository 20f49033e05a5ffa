"""`manage.py seed`: the example that people first meet, and that never overwrites what they made of it."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core import serializers
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from console.access import Permission, can, sees_platform
from console.models import Membership, Organization, User
from deployments.models import CatalogModel, Cluster, Deployment, Endpoint, Provider, Revision, Share
from deployments.vocabulary import Tone
from metering import invariants, keys
from metering.models import ApiKey, UsageHour
from tests.deployments.clusters.conftest import kubeconfig

pytestmark = pytest.mark.django_db
EVERYTHING = (
    *(User, Organization, Membership, Provider, CatalogModel),
    *(Cluster, Endpoint, Deployment, Revision, Share),
)


@pytest.fixture
def sandbox(tmp_path: Path, settings: Settings) -> Path:
    file = tmp_path / "kubeconfig"
    file.write_text(kubeconfig("https://127.0.0.1:6443"))
    settings.SANDBOX_KUBECONFIG = str(file)
    return file


def seed() -> str:
    output = StringIO()
    call_command("seed", stdout=output)
    return output.getvalue()


def rows() -> dict[str, Any]:
    return {
        kind.__name__: serializers.serialize("python", kind.objects.order_by("pk")) for kind in EVERYTHING
    }


def test_it_makes_the_people_of_the_example(sandbox: Path) -> None:
    seed()
    admin = User.objects.get(email="admin@example.com")
    assert all(can(admin, permission) for permission in Permission)
    assert not admin.is_superuser
    members = Membership.objects.values_list("user__email", "organization__slug", "role")
    assert set(members) == {
        ("bob@acme.example", "acme", "owner"),
        ("bea@acme.example", "acme", "member"),
        ("charlie@globex.example", "globex", "owner"),
    }
    assert not any(sees_platform(user) for user in User.objects.exclude(pk=admin.pk))


def test_it_makes_models_and_one_shared_deployment(sandbox: Path) -> None:
    seed()
    slugs = set(CatalogModel.objects.values_list("slug", flat=True))
    assert slugs >= {"opt-125m", "llama-8b-instruct"}
    assert not CatalogModel.objects.get(slug="opt-125m").deployments.exists()
    deployment = Deployment.objects.get()
    assert (deployment.name, deployment.model.slug) == ("llama-8b-chat", "llama-8b-instruct")
    assert deployment.endpoint.slug == "main"
    assert list(Share.objects.values_list("organization__slug", flat=True)) == ["acme"]


def test_a_second_time_changes_nothing(sandbox: Path) -> None:
    assert "admin@example.com" in seed()
    before = rows()
    assert seed() == ""
    after = rows()
    for kind in (Cluster,):
        for row in (*before[kind.__name__], *after[kind.__name__]):
            row["fields"].pop("updated_at", None)
    assert after == before


def test_what_people_changed_stays(sandbox: Path) -> None:
    seed()
    CatalogModel.objects.filter(slug="opt-125m").update(name="Tiny", parameters=1)
    Endpoint.objects.update(hostname="changed.example")
    User.objects.filter(email="bob@acme.example").update(name="Robert")
    seed()
    assert CatalogModel.objects.get(slug="opt-125m").name == "Tiny"
    assert Endpoint.objects.get().hostname == "changed.example"
    assert User.objects.get(email="bob@acme.example").name == "Robert"


def test_a_restarted_sandbox_is_found_at_its_new_address(sandbox: Path) -> None:
    seed()
    sandbox.write_text(kubeconfig("https://127.0.0.1:7443"))
    seed()
    assert "7443" in Cluster.objects.get().kubeconfig.reveal()


def test_the_password_is_printed_once_and_works() -> None:
    password = seed().split()[-1]
    assert len(password) >= 12
    assert all(user.check_password(password) for user in User.objects.all())


def test_a_chosen_password_holds_and_is_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_EXAMPLE_PASSWORD", "chosen-by-me-1")
    assert seed() == ""
    assert User.objects.count() == 4
    assert all(user.check_password("chosen-by-me-1") for user in User.objects.all())


def test_a_password_chosen_later_holds_for_the_example_only(monkeypatch: pytest.MonkeyPatch) -> None:
    seed()
    User.objects.create_user("own@example.com", "of-somebody-else")
    monkeypatch.setenv("SLIPWAY_EXAMPLE_PASSWORD", "chosen-by-me-2")
    seed()
    own = User.objects.get(email="own@example.com")
    assert own.check_password("of-somebody-else")
    assert all(user.check_password("chosen-by-me-2") for user in User.objects.exclude(pk=own.pk))


def test_without_a_chosen_one_a_changed_password_stays() -> None:
    seed()
    admin = User.objects.get(email="admin@example.com")
    admin.set_password("changed-by-me-3")
    admin.save()
    assert seed() == ""
    assert User.objects.get(pk=admin.pk).check_password("changed-by-me-3")


def test_without_a_sandbox_there_is_nothing_to_deploy_to() -> None:
    seed()
    assert CatalogModel.objects.exists()
    assert not Cluster.objects.exists()
    assert not Deployment.objects.exists()


def test_an_example_person_can_have_a_key_at_once(sandbox: Path) -> None:
    seed()
    output = StringIO()
    call_command("mint_key", "bob@acme.example", "--name", "x", stdout=output)
    assert keys.is_whole(output.getvalue().strip())


def test_the_example_has_a_day_of_traffic_that_is_marked_as_made_up(sandbox: Path) -> None:
    seed()
    deployment = Deployment.objects.get()
    hours = UsageHour.objects.filter(deployment_id=deployment.pk)
    assert hours.values("hour").distinct().count() == 22  # two of 24 are gaps
    assert not hours.filter(currency="").exists()
    assert all(finding.tone == Tone.GOOD for finding in invariants.check(timezone.now()))
    key = ApiKey.objects.get()
    assert (key.name, key.revoked_at is None) == ("Example traffic", False)
    web = Client()
    web.force_login(User.objects.get(email="admin@example.com"))
    shown = web.get("/deployments/llama-8b-chat/metrics/").content.decode()
    assert "are made up" in shown

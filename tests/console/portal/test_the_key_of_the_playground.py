"""The playground's key: one for each person and organisation, new every hour, never shown, gone with its person."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from console.models import Membership, User
from metering import issuing, playground_key
from metering.issuing import Refused
from metering.keys import digest
from metering.models import ApiKey
from tests.deployments.pages import world
from tests.metering.keys.people import owner

pytestmark = pytest.mark.django_db


@pytest.fixture
def bob() -> User:
    return owner()


def secret(user: User) -> str:
    return playground_key.secret_of(user, user.organizations.get()).reveal()


def test_it_is_one_key_that_gateways_take_for_an_hour(bob: User) -> None:
    text = secret(bob)
    assert secret(bob) == text
    key = ApiKey.objects.live(timezone.now()).get(digest=digest(text))
    assert (key.user, key.kind, key.name) == (bob, ApiKey.Kind.PLAYGROUND, "Playground")
    assert key.expires_at is not None
    assert timedelta(0) < key.expires_at - timezone.now() <= timedelta(hours=1)


def test_its_secret_is_made_anew_before_it_ends_in_the_same_row(bob: User) -> None:
    first = secret(bob)
    with time_machine.travel(timezone.now() + timedelta(minutes=56), tick=False):
        second = secret(bob)
        assert second != first
        key = ApiKey.objects.get()
        assert key.digest == digest(second)
        assert key.expires_at == timezone.now() + timedelta(hours=1)


def test_it_is_kept_sealed(bob: User) -> None:
    text = secret(bob)
    with connection.cursor() as cursor:
        cursor.execute("SELECT key::text FROM metering_apikey AS key")
        (row,) = cursor.fetchone()
    assert text not in row
    assert text not in repr(ApiKey.objects.get().secret)


def test_it_is_no_key_among_the_persons_own(bob: User, monkeypatch: pytest.MonkeyPatch) -> None:
    secret(bob)
    key, admin, client = ApiKey.objects.get(), world.signed_in(world.person()), world.signed_in(bob)
    for web, at in ((client, "/portal/keys/"), (admin, "/keys/")):
        assert "No API keys yet" in web.get(at).content.decode()
        for rest in ("", "rotate/", "revoke/"):
            assert web.get(f"{at}{key.pk}/{rest}").status_code == 404
    monkeypatch.setattr(issuing, "MOST_LIVE", 1)
    issuing.issue(user=bob, organization=bob.organizations.get(), name="CI", by=bob)


def test_whoever_leaves_has_none(bob: User) -> None:
    text, acme = secret(bob), bob.organizations.get()
    Membership.objects.filter(user=bob).delete()
    assert not ApiKey.objects.live(timezone.now()).filter(digest=digest(text)).exists()
    with pytest.raises(Refused, match="does not belong"):
        playground_key.secret_of(bob, acme)


def test_one_that_was_revoked_stays_so(bob: User) -> None:
    secret(bob)
    issuing.revoke(ApiKey.objects.get(), by=world.person())
    with pytest.raises(Refused, match="was closed for you"):
        secret(bob)


def test_the_database_keeps_no_secret_of_any_other_key_and_no_second_one(bob: User) -> None:
    secret(bob)
    key, _ = issuing.issue(user=bob, organization=bob.organizations.get(), name="CI", by=bob)
    with pytest.raises(IntegrityError, match="only_the_playground"), transaction.atomic():
        ApiKey.objects.filter(pk=key.pk).update(secret="x")
    with pytest.raises(IntegrityError, match="one_playground_key_each"), transaction.atomic():
        ApiKey.objects.filter(pk=key.pk).update(kind=ApiKey.Kind.PLAYGROUND)

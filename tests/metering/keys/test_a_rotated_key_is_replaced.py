"""Rotation: a new key takes the place of one that goes on to work for a while."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from console.models import User
from deployments.spec import SharingSpec
from deployments.vocabulary import Sharing
from metering import issuing, keys
from metering.issuing import Refused
from metering.models import ApiKey
from tests.deployments.pages import world
from tests.metering.keys.people import KEY, make, owner

pytestmark = pytest.mark.django_db
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def bob() -> User:
    return owner()


def old_key(bob: User, life: timedelta | None, age: timedelta) -> ApiKey:
    """One that was made `age` ago for `life`."""
    key, _ = issuing.issue(user=bob, organization=bob.organizations.get(), name="CI", by=bob)
    made = timezone.now() - age
    ApiKey.objects.filter(pk=key.pk).update(created_at=made, expires_at=made + life if life else None)
    key.refresh_from_db()
    return key


def test_a_rotated_key_leaves_its_place_to_another(bob: User) -> None:
    client = world.signed_in(bob)
    first = make(client, bob, description="for the build")
    old = ApiKey.objects.get()
    answer = client.post(f"/portal/keys/{old.pk}/rotate/", {"overlap": "3600"})
    (second,) = set(KEY.findall(answer.content.decode()))
    assert second != first
    assert "no-store" in answer["Cache-Control"]
    fresh = ApiKey.objects.get(replaces=old)
    assert (fresh.name, fresh.description, fresh.digest) == ("CI", "for the build", keys.digest(second))
    assert "Replaced, still works" in client.get("/portal/keys/").content.decode()
    again = client.post(f"/portal/keys/{old.pk}/rotate/", {"overlap": "0"}, follow=True)
    assert "replaced already" in again.content.decode()
    assert ApiKey.objects.count() == 2


@pytest.mark.parametrize(
    ("left", "overlap", "end"),
    [
        (90 * DAY, timedelta(0), timedelta(0)),
        (90 * DAY, HOUR, HOUR),
        (90 * DAY, 7 * DAY, 7 * DAY),
        (HOUR, 7 * DAY, HOUR),
        (None, DAY, DAY),
    ],
)
def test_the_old_one_ends_after_the_overlap_or_before(
    bob: User, left: timedelta | None, overlap: timedelta, end: timedelta
) -> None:
    old = old_key(bob, left and left + DAY, DAY)
    before = timezone.now()
    issuing.rotate(old, overlap=overlap, by=bob)
    old.refresh_from_db()
    assert old.expires_at is not None
    assert abs(old.expires_at - before - end) < timedelta(seconds=5)


def test_the_new_one_lives_as_long_as_the_old_one_was_made_for(bob: User) -> None:
    fresh, _ = issuing.rotate(old_key(bob, 90 * DAY, 89 * DAY), overlap=DAY, by=bob)
    assert issuing.life_of(fresh) == 90 * DAY
    assert fresh.expires_at is not None
    assert fresh.expires_at > timezone.now() + 89 * DAY
    again, _ = issuing.rotate(fresh, overlap=DAY, by=bob)
    assert issuing.life_of(again) == 90 * DAY, "also after the old one's end was moved"
    endless, _ = issuing.rotate(old_key(bob, None, DAY), overlap=DAY, by=bob)
    assert endless.expires_at is None


def test_the_question_says_how_long_both_live(bob: User) -> None:
    client = world.signed_in(bob)
    make(client, bob)
    page = client.get(f"/portal/keys/{ApiKey.objects.get().pk}/rotate/").content.decode()
    assert "ends 90 days from now" in page
    assert client.post(f"/portal/keys/{ApiKey.objects.get().pk}/rotate/", {"overlap": "9"}).status_code == 422
    assert ApiKey.objects.count() == 1


def test_the_new_one_is_for_the_same_models(bob: User) -> None:
    chat = world.deployment("chat", sharing=SharingSpec(Sharing.ALL))
    made, _ = issuing.issue(
        user=bob, organization=bob.organizations.get(), name="CI", by=bob, deployments=[chat]
    )
    fresh, _ = issuing.rotate(made, overlap=HOUR, by=bob)
    assert not fresh.all_deployments
    assert [*fresh.deployments.all()] == [chat]


def test_what_works_no_more_is_not_rotated(bob: User) -> None:
    ended, revoked = old_key(bob, HOUR, DAY), old_key(bob, None, DAY)
    issuing.revoke(revoked, by=bob)
    for key in (ended, revoked):
        with pytest.raises(Refused, match="does not work any more"):
            issuing.rotate(key, overlap=HOUR, by=bob)
    suspended = old_key(bob, None, DAY)
    bob.memberships.all().delete()
    with pytest.raises(Refused, match="does not belong to Acme"):
        issuing.rotate(suspended, overlap=HOUR, by=bob)
    assert ApiKey.objects.count() == 3


@pytest.mark.django_db(transaction=True)
def test_two_rotations_at_once_make_one_key(bob: User) -> None:
    """E13."""
    key, said = old_key(bob, None, DAY), []

    def rotate() -> None:
        try:
            issuing.rotate(key, overlap=DAY, by=bob)
            said.append("made")
        except Refused:
            said.append("refused")
        finally:
            connection.close()

    threads = [threading.Thread(target=rotate) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(said) == ["made", "refused", "refused", "refused"]
    assert ApiKey.objects.count() == 2

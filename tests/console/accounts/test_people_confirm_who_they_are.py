"""Before secrets, deletion of a cluster and changes of rights, people prove again who they are."""

from __future__ import annotations

import time
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.socialaccount.models import SocialAccount
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from console.access import Role, role_of
from console.models import User
from deployments.models import Cluster
from metering.models import ApiKey
from tests.console.accounts.browser import is_in, leave, sent_back, sign_in
from tests.console.accounts.provider import Provider
from tests.console.accounts.test_second_factor import code_for, couple
from tests.deployments.pages import world

pytestmark = pytest.mark.django_db
PASSWORD = "a long enough password"
CONFIRM = "/accounts/reauthenticate/"
MINUTE = 60


@pytest.fixture
def ada(db: None) -> User:
    return world.person()


def stale(user: User, minutes: float = 60) -> Client:
    """Somebody who signed in a while ago."""
    client = world.signed_in(user)
    world.confirm(client, user, time.time() - minutes * MINUTE)
    return client


def asks(answer: object, back_to: str) -> bool:
    """Whether the answer leads to the page that asks, and from there to `back_to`."""
    place = urlsplit(answer["Location"]) if answer.status_code == 302 else urlsplit("")  # type: ignore[attr-defined,index]
    return place.path == CONFIRM and parse_qs(place.query)["next"] == [back_to]


@pytest.mark.parametrize(
    "address",
    [
        "/clusters/new/",
        "/clusters/fra-1/edit/",
        "/clusters/fra-1/delete/",
        "/endpoints/new/",
        "/endpoints/main/edit/",
        "/models/new/",
        "/models/llama-8b/edit/",
        "/notifications/new/webhook/",
        "/accounts/access-keys/new/",
        "/keys/new/",
        "/people/invite/",
        "/accounts/security/app/",
        "/accounts/security/app/remove/",
        "/accounts/security/passkeys/add/",
    ],
)
def test_the_page_asks_first_and_then_shows(ada: User, address: str) -> None:
    world.endpoint()
    world.model()
    if address.endswith("app/remove/"):
        couple(world.signed_in(ada))
    web = stale(ada)
    assert asks(web.get(address), address)
    answer = web.post(CONFIRM, {"way": "password", "password": PASSWORD, "next": address})
    assert (answer.status_code, answer["Location"]) == (302, address)
    assert web.get(address).status_code == 200


@pytest.mark.parametrize(
    "what", ["role", "switch-off", "switch-on", "sign-out", "reset-second-factor", "invite-again"]
)
def test_a_button_asks_first_and_changes_nothing(ada: User, what: str) -> None:
    olga = world.person("olga@example.com", Role.OPERATOR)
    hers = world.signed_in(olga)
    answer = stale(ada).post(f"/people/{olga.pk}/{what}/", {"role": "viewer"})
    assert asks(answer, f"/people/{olga.pk}/")
    assert role_of(User.objects.get(pk=olga.pk)) == "Operator"
    assert is_in(hers)


def test_a_cluster_stays_until_its_deletion_is_confirmed(ada: User) -> None:
    Cluster.objects.create(slug="osl-1", name="Oslo 1")
    address = reverse("cluster_delete", args=["osl-1"])
    assert asks(stale(ada).post(address), address)
    assert Cluster.objects.exists()


def test_a_form_that_was_opened_in_time_may_still_be_sent(ada: User) -> None:
    Cluster.objects.create(slug="osl-1", name="Oslo 1")
    address = reverse("cluster_delete", args=["osl-1"])
    assert asks(stale(ada, 15).get(address), address)
    assert stale(ada, 15).post(address).status_code == 302
    assert not Cluster.objects.exists()


def test_no_secret_that_was_typed_is_kept_while_somebody_confirms(ada: User) -> None:
    web = stale(ada)
    web.post("/clusters/new/", {"name": "x", "kubeconfig": "canary-kubeconfig"})
    assert "canary" not in str(dict(web.session.items()))


def test_ones_own_keys_in_the_portal_are_made_without_asking() -> None:
    bea = world.tenant("bea@acme.example", "acme")
    web = stale(bea)
    assert web.get("/portal/keys/new/").status_code == 200


def test_a_key_for_somebody_else_is_not_made_without(ada: User) -> None:
    world.tenant("bea@acme.example", "acme")
    stale(ada).post("/keys/new/", {"name": "x"})
    assert not ApiKey.objects.exists()


def test_a_right_is_asked_about_before_the_person_is(ada: User) -> None:
    viewer = world.person("vic@example.com", Role.VIEWER)
    assert stale(viewer).get("/clusters/new/").status_code == 403


def test_signing_in_counts(ada: User) -> None:
    client = Client()
    client.post("/sign-in/", {"login": ada.email, "password": PASSWORD})
    assert client.get("/clusters/new/").status_code == 200


def test_a_wrong_password_confirms_nothing_and_is_throttled(ada: User) -> None:
    web = stale(ada)
    for _ in range(10):
        assert web.post(CONFIRM, {"way": "password", "password": "wrong"}).status_code == 200
    assert web.post(CONFIRM, {"way": "password", "password": PASSWORD}).status_code == 429
    assert asks(web.get("/clusters/new/"), "/clusters/new/")


def test_a_code_of_the_app_confirms(ada: User) -> None:
    secret = couple(world.signed_in(ada))
    web = stale(ada)
    assert web.post(CONFIRM, {"way": "code", "code": "000000"}).status_code == 200
    assert asks(web.get("/clusters/new/"), "/clusters/new/")
    assert web.post(CONFIRM, {"way": "code", "code": code_for(secret)}).status_code == 302
    assert web.get("/clusters/new/").status_code == 200


@pytest.mark.parametrize("way", ["code", "passkey", "provider", ""])
def test_a_way_that_one_does_not_have_confirms_nothing(ada: User, way: str) -> None:
    web = stale(ada)
    web.post(CONFIRM, {"way": way, "code": "1", "password": PASSWORD, "credential": "{}"})
    assert asks(web.get("/clusters/new/"), "/clusters/new/")


def test_confirming_leads_only_to_pages_of_ours(ada: User) -> None:
    answer = stale(ada).post(
        CONFIRM, {"way": "password", "password": PASSWORD, "next": "https://evil.example/"}
    )
    assert answer["Location"] == "/"


@pytest.fixture
def guest(provider: Provider) -> tuple[Client, User]:
    """An administrator who has no password and came through the provider a while ago."""
    world.sync_roles()
    provider.groups = ["admins"]
    client = Client()
    sign_in(client)
    user = User.objects.get()
    world.confirm(client, user, time.time() - 60 * MINUTE)
    return client, user


def confirm_there(client: Client) -> object:
    return client.get(sent_back(leave(client, CONFIRM_THERE, next="/clusters/new/")))


CONFIRM_THERE = "/accounts/single-sign-on/confirm/"


def test_who_has_no_password_confirms_at_the_provider(guest: tuple[Client, User], provider: Provider) -> None:
    client, _ = guest
    page = client.get(client.get("/clusters/new/")["Location"]).text
    assert "Continue with Example ID" in page
    assert 'type="password"' not in page
    answer = confirm_there(client)
    assert answer["Location"] == "/clusters/new/"  # type: ignore[index]
    assert client.get("/clusters/new/").status_code == 200
    assert provider.asked[-1]["prompt"] == "login"
    assert provider.asked[-1]["max_age"] == "120"


@pytest.mark.parametrize("minutes", [5, 600])
def test_an_old_sign_in_over_there_confirms_nothing(
    guest: tuple[Client, User], provider: Provider, minutes: int
) -> None:
    client, _ = guest
    provider.signed_in_at = time.time() - minutes * MINUTE
    assert confirm_there(client).status_code == 401  # type: ignore[attr-defined]
    assert asks(client.get("/clusters/new/"), "/clusters/new/")


def test_a_provider_that_does_not_say_when_confirms_nothing(
    guest: tuple[Client, User], provider: Provider
) -> None:
    client, _ = guest
    provider.claims["auth_time"] = None
    assert confirm_there(client).status_code == 401  # type: ignore[attr-defined]


def test_somebody_else_over_there_confirms_nothing(guest: tuple[Client, User], provider: Provider) -> None:
    client, user = guest
    other = world.person("otto@example.com")
    SocialAccount.objects.create(user=other, provider=provider.issuer, uid="u-9")
    for subject in ("u-9", "u-10"):
        provider.subject = subject
        answer = confirm_there(client)
        assert answer.status_code == 403  # type: ignore[attr-defined]
        assert client.session["_auth_user_id"] == str(user.pk)
    assert asks(client.get("/clusters/new/"), "/clusters/new/")


def test_with_single_sign_on_only_the_password_confirms_nothing(
    ada: User, provider: Provider, settings: Settings
) -> None:
    settings.OIDC_ONLY = True
    SocialAccount.objects.create(user=ada, provider=provider.issuer, uid="u-1")
    web = stale(ada)
    web.post(CONFIRM, {"way": "password", "password": PASSWORD})
    assert asks(web.get("/clusters/new/"), "/clusters/new/")

"""Sessions end everywhere when somebody's rights change, and by themselves when they are left alone or too old."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from console.access import Role
from console.models import User
from console.people import roles
from console.sessions import end_all
from console.tasks import sweep_sessions
from tests.console.accounts.browser import is_in
from tests.deployments.pages import world

pytestmark = pytest.mark.django_db
PASSWORD = "a long enough password"
DAY = 24 * 3600.0


@pytest.fixture(autouse=True)
def another_administrator(db: None) -> User:
    return world.person("root@example.com")


def sign_in(email: str, **headers: str) -> Client:
    client = Client()
    answer = client.post("/sign-in/", {"login": email, "password": PASSWORD}, **headers)
    assert answer.status_code == 302
    return client


def set_back(client: Client, **seconds: float) -> None:
    """As if the session had begun, or been seen, so many seconds ago."""
    session = client.session
    for name, value in seconds.items():
        session[f"session_{name}_at"] = time.time() - value
    session.save()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda user: roles.change(user, Role.VIEWER), id="role lowered"),
        pytest.param(lambda user: roles.change(user, None), id="role taken"),
        pytest.param(lambda user: roles.change(user, Role.ADMINISTRATOR), id="role raised"),
        pytest.param(roles.deactivate, id="switched off"),
        pytest.param(roles.reset_second_factor, id="second factor reset"),
        pytest.param(end_all, id="signed out"),
    ],
)
def test_every_session_ends_with_the_next_request(change: Callable[[User], object]) -> None:
    ada = world.person(role=Role.OPERATOR)
    sessions = [sign_in(ada.email) for _ in range(3)]
    change(User.objects.get(pk=ada.pk))
    assert not any(is_in(client) for client in sessions)
    assert not UserSession.objects.filter(user=ada).exists()


def test_a_session_whose_row_survived_is_worth_nothing() -> None:
    """As in a store that cannot be searched, such as a cache."""
    ada = world.person()
    client = sign_in(ada.email)
    rows = list(Session.objects.values_list("session_key", "session_data", "expire_date"))
    end_all(ada)
    Session.objects.bulk_create(
        Session(session_key=key, session_data=data, expire_date=until) for key, data, until in rows
    )
    assert not is_in(client)


def test_ending_all_may_keep_the_one_that_asks() -> None:
    ada = world.person()
    here, there = sign_in(ada.email), sign_in(ada.email)
    assert here.post("/accounts/sessions/end-others/").status_code == 302
    assert is_in(here)
    assert not is_in(there)


def test_nobody_else_is_signed_out() -> None:
    ada, root = world.person(), sign_in("root@example.com")
    end_all(ada)
    assert is_in(root)


def test_a_role_that_stays_ends_nothing() -> None:
    ada = world.person(role=Role.OPERATOR)
    client = sign_in(ada.email)
    assert roles.change(ada, Role.OPERATOR) is False
    assert is_in(client)


def test_a_new_password_ends_the_other_sessions() -> None:
    ada = world.person()
    here, there = sign_in(ada.email), sign_in(ada.email)
    form = {"oldpassword": PASSWORD, "password1": "quite another one", "password2": "quite another one"}
    assert here.post("/accounts/password/change/", form).status_code == 302
    assert is_in(here)
    assert not is_in(there)


def test_the_list_names_browser_and_address_and_marks_this_one() -> None:
    ada = world.person()
    firefox = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
    sign_in(ada.email, HTTP_USER_AGENT=firefox, REMOTE_ADDR="192.0.2.7")
    page = sign_in(ada.email).get("/accounts/sessions/").text
    assert "Firefox on Windows" in page
    assert "192.0.2.7" in page
    assert page.count("This session") == 1
    assert "2 sessions" in page


def test_one_session_is_ended_from_the_list() -> None:
    ada = world.person()
    here, there = sign_in(ada.email), sign_in(ada.email)
    row = UserSession.objects.get(session_key=there.session.session_key)
    assert here.post(f"/accounts/sessions/{row.pk}/end/").status_code == 302
    assert is_in(here)
    assert not is_in(there)


def test_nobody_ends_the_session_of_somebody_else() -> None:
    ada, root = world.person(), sign_in("root@example.com")
    row = UserSession.objects.get(session_key=root.session.session_key)
    assert sign_in(ada.email).post(f"/accounts/sessions/{row.pk}/end/").status_code == 404
    assert is_in(root)


def test_this_session_is_ended_by_signing_out_only() -> None:
    client = sign_in(world.person().email)
    row = UserSession.objects.get(session_key=client.session.session_key)
    client.post(f"/accounts/sessions/{row.pk}/end/")
    assert is_in(client)


def test_the_list_costs_the_same_for_any_number_of_sessions() -> None:
    ada = world.person()
    client = sign_in(ada.email)

    def cost() -> int:
        with CaptureQueriesContext(connection) as captured:
            client.get("/accounts/sessions/")
        return len(captured)

    one = cost()
    for _ in range(5):
        sign_in(ada.email)
    assert cost() == one


def test_a_session_that_is_left_alone_ends(settings: Settings) -> None:
    client = sign_in(world.person().email)
    set_back(client, seen=settings.SESSION_IDLE_SECONDS - 60)
    assert is_in(client)
    set_back(client, seen=settings.SESSION_IDLE_SECONDS + 60)
    answer = client.get("/models/")
    assert (answer.status_code, answer["Location"]) == (302, "/sign-in/?next=/models/")


def test_a_session_that_is_too_old_ends_however_busy_it_is(settings: Settings) -> None:
    client = sign_in(world.person().email)
    set_back(client, started=settings.SESSION_MAX_SECONDS + 60, seen=0)
    assert not is_in(client)


def test_a_page_that_asks_for_itself_again_keeps_no_session_alive(settings: Settings) -> None:
    client = sign_in(world.person().email)
    set_back(client, seen=settings.SESSION_IDLE_SECONDS - 60)
    seen = client.session["session_seen_at"]
    assert client.get("/", HTTP_HX_REQUEST="true", HTTP_X_SEEN="0").status_code == 200
    assert client.session["session_seen_at"] == seen
    client.get("/models/")
    assert client.session["session_seen_at"] > seen


def test_signing_in_again_begins_anew() -> None:
    ada = world.person()
    client = sign_in(ada.email)
    set_back(client, started=6 * DAY)
    client.post("/sign-out/")
    client.post("/sign-in/", {"login": ada.email, "password": PASSWORD})
    assert time.time() - client.session["session_started_at"] < DAY


def test_what_ended_by_itself_is_neither_listed_nor_kept(settings: Settings) -> None:
    ada = world.person()
    client, old = sign_in(ada.email), sign_in(ada.email)
    idle = UserSession.objects.filter(session_key=old.session.session_key)
    idle.update(last_seen_at=timezone.now() - timedelta(seconds=settings.SESSION_IDLE_SECONDS + 60))
    assert "1 session<" in client.get("/accounts/sessions/").text
    idle.update(created_at=timezone.now() - timedelta(seconds=settings.SESSION_MAX_SECONDS + 60))
    Session.objects.filter(session_key=old.session.session_key).update(expire_date=timezone.now())
    sweep_sessions()
    assert UserSession.objects.filter(user=ada).count() == 1
    assert Session.objects.count() == 1
    assert is_in(client)


def test_ending_sessions_asks_first_who_one_is() -> None:
    ada = world.person()
    there, here = sign_in(ada.email), world.signed_in(ada)
    world.confirm(here, ada, time.time() - 3600)
    row = UserSession.objects.get(session_key=there.session.session_key)
    for address in (f"/accounts/sessions/{row.pk}/end/", "/accounts/sessions/end-others/"):
        answer = here.post(address)
        assert answer["Location"] == "/accounts/reauthenticate/?next=%2Faccounts%2Fsessions%2F"
    assert is_in(there)


def test_the_key_of_a_session_cannot_be_guessed() -> None:
    ada = world.person()
    keys = {sign_in(ada.email).session.session_key for _ in range(10)}
    assert len(keys) == 10
    # 36 kinds of characters: 5.17 bits each, 165 in all.
    assert all(re.fullmatch(r"[a-z0-9]{32}", str(key)) for key in keys)

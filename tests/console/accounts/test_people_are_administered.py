"""The list of everybody, and what administrators do with people."""

from __future__ import annotations

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from console.access import Role, role_of
from console.models import User
from tests.console.accounts.browser import is_in, recorded
from tests.deployments.pages import world

pytestmark = pytest.mark.django_db


@pytest.fixture
def root(db: None) -> User:
    return world.person("root@example.com", name="Rita Root")


@pytest.fixture
def web(root: User) -> Client:
    return world.signed_in(root)


def fresh(user: User) -> User:
    return User.objects.get(pk=user.pk)


def act(web: Client, user: User, what: str, **form: str) -> str:
    """What the page says after the button was pressed."""
    answer = web.post(f"/people/{user.pk}/{what}/", form, follow=True)
    assert answer.redirect_chain[-1][0] == f"/people/{user.pk}/"
    return answer.text


def test_everybody_is_listed_with_role_organisations_and_state(web: Client) -> None:
    world.person("olga@example.com", Role.OPERATOR, "Olga")
    world.tenant("bea@acme.example", "acme", "globex")
    off = world.person("off@example.com", None, "Otto Off")
    User.objects.filter(pk=off.pk).update(is_active=False)
    page = web.get("/people/").text
    for text in ("Rita Root", "Olga", "Operator", "Acme, Globex", "Otto Off", "Switched off", "4 people"):
        assert text in page


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?q=OLGA", {"Olga"}),
        ("?q=acme", {"Bea"}),
        ("?group=platform", {"Olga", "Rita Root"}),
        ("?group=tenants", {"Bea", "Otto"}),
        ("?group=inactive", {"Otto"}),
        ("?group=unprotected", {"Bea", "Olga"}),
        ("?group=nonsense", {"Bea", "Olga", "Otto", "Rita Root"}),
        ("?q=nobody", set()),
        ("?q=%25", set()),
    ],
)
def test_people_are_found(web: Client, root: User, query: str, found: set[str]) -> None:
    world.person("olga@example.com", Role.OPERATOR, "Olga")
    world.tenant("bea@acme.example", "acme")
    otto = world.person("otto@example.com", None, "Otto")
    User.objects.filter(pk=otto.pk).update(is_active=False)
    Authenticator.objects.create(user=root, type="totp", data={})
    people = web.get(f"/people/{query}").context["page"]
    assert {person.name for person in people} == found


def test_the_list_costs_the_same_for_any_number_of_people(web: Client) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert web.get("/people/").status_code == 200
        return len(captured)

    world.tenant("a@acme.example", "acme")
    few = cost()
    for number in range(8):
        world.tenant(f"p{number}@acme.example", "acme", "globex")
    assert cost() == few


def test_a_role_is_given_and_the_person_signs_in_anew(web: Client) -> None:
    olga = world.person("olga@example.com", Role.OPERATOR)
    hers = world.signed_in(olga)
    assert "has viewer now and was signed out everywhere" in act(web, olga, "role", role="viewer")
    assert role_of(fresh(olga)) == "Viewer"
    assert not is_in(hers)
    assert recorded() == ["person.role_changed"]


def test_a_role_is_taken(web: Client) -> None:
    olga = world.person("olga@example.com", Role.OPERATOR)
    act(web, olga, "role", role="")
    assert role_of(fresh(olga)) == ""


@pytest.mark.parametrize("role", ["superuser", "Administrator", "administrator ", "x" * 500])
def test_a_role_that_does_not_exist_is_refused(web: Client, role: str) -> None:
    olga = world.person("olga@example.com", Role.OPERATOR)
    assert "There is no such role." in act(web, olga, "role", role=role)
    assert role_of(fresh(olga)) == "Operator"


@pytest.mark.parametrize(("what", "form"), [("role", {"role": "viewer"}), ("switch-off", {})])
def test_nobody_does_this_to_themselves(web: Client, root: User, what: str, form: dict[str, str]) -> None:
    world.person("other@example.com")
    assert "Nobody changes their own role" in act(web, root, what, **form)
    assert role_of(fresh(root)) == "Administrator"
    assert fresh(root).is_active
    assert recorded() == []


def test_a_superuser_is_not_changed_here(web: Client) -> None:
    boss = User.objects.create_superuser("boss@example.com", "a long enough password", name="Boss")
    assert "A superuser has every right already." in act(web, boss, "role", role="viewer")
    assert not fresh(boss).groups.exists()


def test_switching_off_and_on(web: Client) -> None:
    bea = world.tenant("bea@acme.example", "acme")
    hers = world.signed_in(bea)
    assert "is switched off" in act(web, bea, "switch-off")
    assert not fresh(bea).is_active
    assert not is_in(hers)
    assert "can sign in again" in act(web, bea, "switch-on")
    assert fresh(bea).is_active
    assert not is_in(hers)
    assert recorded() == ["person.switched_off", "person.switched_on"]


def test_signing_somebody_out(web: Client) -> None:
    bea = world.tenant("bea@acme.example", "acme")
    hers = world.signed_in(bea)
    assert "is signed out everywhere" in act(web, bea, "sign-out")
    assert not is_in(hers)
    assert fresh(bea).is_active


def test_signing_oneself_out_elsewhere_keeps_this_session(web: Client, root: User) -> None:
    there = world.signed_in(root)
    act(web, root, "sign-out")
    assert is_in(web)
    assert not is_in(there)


def test_a_lost_second_factor_is_reset(web: Client) -> None:
    bea = world.tenant("bea@acme.example", "acme")
    for kind in ("totp", "recovery_codes"):
        Authenticator.objects.create(user=bea, type=kind, data={"secret": "x"})
    hers = world.signed_in(bea)
    assert "has no second factor any more" in act(web, bea, "reset-second-factor")
    assert not Authenticator.objects.exists()
    assert not is_in(hers)
    assert recorded() == ["person.second_factor_reset"]


def test_nobody_resets_their_own_second_factor_here(web: Client, root: User) -> None:
    Authenticator.objects.create(user=root, type="totp", data={})
    act(web, root, "reset-second-factor")
    assert Authenticator.objects.exists()


def test_somebody_who_does_not_exist_is_a_404(web: Client) -> None:
    assert web.get("/people/4711/").status_code == 404
    assert web.post("/people/4711/role/", {"role": "viewer"}).status_code == 404


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.BILLING, Role.VIEWER])
def test_only_administrators_see_people(role: Role) -> None:
    web = world.signed_in(world.person(role=role))
    assert web.get("/people/").status_code == 403
    assert 'href="/people/"' not in web.get("/models/").text


def test_the_page_of_a_person_says_where_they_are_signed_in(web: Client) -> None:
    bea = world.tenant("bea@acme.example", "acme")
    assert "Signed in nowhere." in web.get(f"/people/{bea.pk}/").text
    Client().post(
        "/sign-in/",
        {"login": bea.email, "password": "a long enough password"},
        HTTP_USER_AGENT="curl/8.5.0",
        REMOTE_ADDR="192.0.2.9",
    )
    page = web.get(f"/people/{bea.pk}/").text
    assert "curl" in page
    assert "192.0.2.9" in page
    assert "Acme" in page


def test_the_groups_hold_what_they_should_after_all(web: Client) -> None:
    """Whatever is done with people, a role is a group and nothing else."""
    olga = world.person("olga@example.com", Role.OPERATOR)
    Group.objects.get_or_create(name="choir")[0].user_set.add(olga)
    act(web, olga, "role", role="billing")
    assert set(fresh(olga).groups.values_list("name", flat=True)) == {"billing", "choir"}

"""What a password may be: long enough, not among the first that anybody would try, and otherwise whatever one likes."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest
from django.contrib.auth.password_validation import validate_password
from django.core import mail
from django.core.exceptions import ValidationError
from django.test import Client
from pytest_django import Settings

import console
from console.models import User
from tests.console.accounts.browser import is_in
from tests.deployments.pages import world

PROJECT = Path(__file__).parents[3]
ADA = User(email="ada.lovelace@example.com", name="Ada Lovelace")
GOOD = [
    "correct horse battery",
    "wwwwwwwwwwwz",
    "äöüßéèñçåæøœ",
    "密碼密碼密碼密碼密碼密碼",
    "x" * 63 + "y",
    "z" * 255 + "y",
    " leading and trailing ",
    "slipway sails at four bells",
    "my kubernetes is not your kubernetes",
]
BAD = {
    "elevenchars": "at least 12 characters",
    "password1234": "too common",
    "qwertyuiop123": "too common",
    "ada.lovelace@example.com": "similar",
    "slipwayslipway": "everybody here would try first",
    "SlipWay-Password": "everybody here would try first",
    "kubernetes2026": "everybody here would try first",
    "y" * 257: "more than 256 characters",
}


@pytest.mark.parametrize("password", GOOD)
def test_a_good_one_is_taken(password: str) -> None:
    validate_password(password, ADA)


@pytest.mark.parametrize(("password", "why"), BAD.items(), ids=lambda text: text[:20])
def test_a_bad_one_is_refused_with_the_reason(password: str, why: str) -> None:
    with pytest.raises(ValidationError) as refused:
        validate_password(password, ADA)
    assert why in " ".join(refused.value.messages)


def test_the_name_of_the_host_is_a_word_that_everybody_would_try(settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["console.acmecorp.example"]
    with pytest.raises(ValidationError):
        validate_password("acmecorp-2026", ADA)


def test_new_passwords_are_hashed_slowly_on_purpose() -> None:
    """As the settings file has it; the tests themselves hash quickly."""
    found = runpy.run_path(str(Path(console.__file__).with_name("settings.py")))
    assert found["PASSWORD_HASHERS"][0].endswith("ScryptPasswordHasher")


@pytest.mark.django_db
def test_all_of_a_long_password_counts() -> None:
    password = "a" * 200
    user = User.objects.create_user("ada@example.com", password)
    for wrong in (password[:-1], password[:72], password + "a"):
        assert not user.check_password(wrong)


@pytest.mark.django_db
def test_a_reset_does_not_tell_whether_an_address_is_known() -> None:
    world.person()
    answers = [
        Client().post("/accounts/password/reset/", {"email": email}, follow=True)
        for email in ("ada@example.com", "nobody@example.com")
    ]
    pages = [(answer.redirect_chain, answer.text.partition("csrf")[0]) for answer in answers]
    assert pages[0] == pages[1]


@pytest.mark.django_db
def test_a_reset_signs_out_everywhere() -> None:
    ada = world.person()
    there = world.signed_in(ada)
    client = Client()
    client.post("/accounts/password/reset/", {"email": ada.email})
    link = next(word for word in mail.outbox[0].body.split() if "/password/reset/key/" in word)
    place = client.get(link.removeprefix("http://testserver"))["Location"]
    form = {"password1": "quite another one", "password2": "quite another one"}
    assert client.post(place, form).status_code == 302
    assert User.objects.get().check_password("quite another one")
    assert not is_in(there)


FIELDS = re.compile(r"<input\b[^>]*\bname=\"[^\"]*password[^\"]*\"[^>]*>")


@pytest.mark.django_db
def test_fields_hide_what_is_typed_and_welcome_a_password_manager() -> None:
    person = world.person()
    web, link = world.signed_in(person), _link_of_a_reset(person)
    places = {
        "sign in": (Client().get("/sign-in/"), ["current-password"]),
        "change": (
            web.get("/accounts/password/change/"),
            ["current-password", "new-password", "new-password"],
        ),
        "confirm": (web.get("/accounts/reauthenticate/"), ["current-password"]),
        "set anew": (Client().get(link, follow=True), ["new-password", "new-password"]),
    }
    for place, (answer, meant) in places.items():
        found = FIELDS.findall(answer.text)
        assert len(found) == len(meant), place
        for field, autocomplete in zip(found, meant, strict=True):
            assert 'type="password"' in field, place
            assert f'autocomplete="{autocomplete}"' in field, place
            assert "maxlength" not in field, place


def test_no_script_of_ours_looks_at_what_is_pasted() -> None:
    scripts = sorted((PROJECT / "static" / "js").rglob("*.js"))
    assert scripts
    assert [
        each.name for each in scripts if re.search(r"paste|beforeinput|clipboardData", each.read_text())
    ] == []


def _link_of_a_reset(person: User) -> str:
    Client().post("/accounts/password/reset/", {"email": person.email})
    found = re.search(r"/accounts/password/reset/key/\S+", str(mail.outbox[-1].body))
    assert found is not None
    return found.group(0)

"""A second factor: coupled, asked for, used once, recovered from, and demanded where the settings say so."""

from __future__ import annotations

import re
import time

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings

from console.access import Role
from console.audit.entry import AuditEntry
from console.models import User
from tests.console.accounts.browser import is_in, recorded, sign_in
from tests.console.accounts.provider import Provider
from tests.deployments.pages import world

pytestmark = pytest.mark.django_db
PASSWORD = "a long enough password"
APP = "/accounts/security/app/"
CODES = "/accounts/security/recovery-codes/"


def code_for(secret: str, periods: int = 0) -> str:
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30 + periods))


@pytest.fixture(autouse=True)
def nothing_used(db: None) -> None:
    """A code counts once, and the notes of that outlive a test's transaction nowhere else."""
    cache.clear()


@pytest.fixture
def ada(db: None) -> User:
    return world.person()


def couple(web: Client) -> str:
    """Couples an app as a person would, and returns its secret."""
    secret = _seed_on(web)
    assert web.post(APP, {"code": code_for(secret)}).status_code == 302
    return secret


def codes_of(web: Client, address: str = CODES + "show/") -> list[str]:
    page = web.post(address, follow=True).text
    return re.findall(r"\b\d{8}\b", page.partition('id="codes"')[2].partition("</pre>")[0])


def password_given(user: User) -> Client:
    client = Client()
    answer = client.post("/sign-in/", {"login": user.email, "password": PASSWORD})
    assert (answer.status_code, answer["Location"]) == (302, "/accounts/second-factor/")
    assert not is_in(client)
    return client


def step(client: Client, code: str) -> bool:
    client.post("/accounts/second-factor/", {"code": code})
    return is_in(client)


def test_an_app_is_coupled_and_asked_for(ada: User) -> None:
    secret = couple(world.signed_in(ada))
    client = password_given(ada)
    assert not step(client, "000000")
    assert step(client, code_for(secret))


def test_the_page_draws_the_code_within_the_content_policy(ada: User) -> None:
    answer = world.signed_in(ada).get(APP)
    assert '<svg class="qr"' in answer.text
    assert "data:image" not in answer.text
    assert "style=" not in answer.text
    assert "no-store" in answer["Cache-Control"]


def test_a_code_counts_once(ada: User) -> None:
    secret = couple(world.signed_in(ada))
    code = code_for(secret)
    assert step(password_given(ada), code)
    assert not step(password_given(ada), code)


@pytest.mark.parametrize("periods", [-2, 2])
def test_a_code_of_another_time_does_not_count(ada: User, periods: int) -> None:
    secret = couple(world.signed_in(ada))
    assert not step(password_given(ada), code_for(secret, periods))


def test_guessing_codes_is_throttled(ada: User) -> None:
    secret = couple(world.signed_in(ada))
    client = password_given(ada)
    for _ in range(6):
        step(client, "000000")
    assert not step(client, code_for(secret))


def test_the_secret_and_the_codes_are_sealed_at_rest(ada: User) -> None:
    web = world.signed_in(ada)
    secret = couple(web)
    codes = codes_of(web)
    stored = str(list(Authenticator.objects.values_list("data", flat=True)))
    assert secret not in stored
    assert not any(code in stored for code in codes)


def test_recovery_codes_are_shown_once_and_each_counts_once(ada: User) -> None:
    web = world.signed_in(ada)
    couple(web)
    assert "Show them once" in web.get(CODES).text
    codes = codes_of(web)
    assert len(set(codes)) == 10
    assert codes_of(web) == []
    assert step(password_given(ada), codes[3])
    assert not step(password_given(ada), codes[3])
    assert "9 codes left" in web.get(CODES).text


def test_looking_at_the_page_shows_and_changes_nothing(ada: User) -> None:
    web = world.signed_in(ada)
    couple(web)
    for _ in range(2):
        assert not re.search(r"\b\d{8}\b", web.get(CODES).text.partition("<main")[2])
    assert len(codes_of(web)) == 10


def test_new_codes_make_the_earlier_ones_void(ada: User) -> None:
    web = world.signed_in(ada)
    couple(web)
    old = codes_of(web)
    new = codes_of(web, CODES + "make/")
    assert len(new) == 10
    assert not set(old) & set(new)
    assert not step(password_given(ada), old[0])
    assert step(password_given(ada), new[0])


def test_codes_are_downloaded_by_who_has_them(ada: User) -> None:
    web = world.signed_in(ada)
    couple(web)
    codes = codes_of(web)
    answer = web.post(CODES + "download/", {"codes": " ".join(codes)})
    assert answer.text.split() == codes
    assert "attachment" in answer["Content-Disposition"]
    assert "no-store" in answer["Cache-Control"]
    for guess in ("", " ".join(reversed(codes)), "12345678"):
        assert web.post(CODES + "download/", {"codes": guess}).status_code == 302


def test_without_a_factor_there_are_no_recovery_codes(ada: User) -> None:
    world.signed_in(ada).post(CODES + "make/")
    assert not Authenticator.objects.exists()


def test_removing_the_app_takes_its_recovery_codes_along(ada: User) -> None:
    web = world.signed_in(ada)
    couple(web)
    assert web.post(APP + "remove/").status_code == 302
    assert not Authenticator.objects.exists()
    client = Client()
    client.post("/sign-in/", {"login": ada.email, "password": PASSWORD})
    assert is_in(client)


def test_what_one_changes_of_ones_own_protection_is_in_the_audit(ada: User) -> None:
    web = world.signed_in(ada)
    secret = couple(web)
    codes = codes_of(web, CODES + "make/")
    web.post(APP + "remove/")
    web.post(
        "/accounts/password/change/",
        {"oldpassword": PASSWORD, "password1": "quite another one", "password2": "quite another one"},
    )
    assert recorded() == [
        "person.second_factor_added",
        "person.recovery_codes_made",
        "person.second_factor_removed",
        "person.password_changed",
    ]
    entries = AuditEntry.objects.filter(actor=ada.email, object_name=ada.email)
    kept = str(list(entries.values()))
    assert not any(text in kept for text in (secret, codes[0], "quite another one"))


def test_a_wrong_code_couples_nothing(ada: User) -> None:
    web = world.signed_in(ada)
    web.get(APP)
    page = web.post(APP, {"code": "000000"})
    assert "The app was not added" in page.text
    assert not Authenticator.objects.exists()


def test_nobody_is_made_to_have_one_by_default(ada: User) -> None:
    assert world.signed_in(ada).get("/models/").status_code == 200


@pytest.mark.parametrize(
    ("wanted", "role", "led"),
    [
        ("platform", Role.VIEWER, True),
        ("platform", None, False),
        ("everyone", Role.VIEWER, True),
        ("everyone", None, True),
        ("none", Role.ADMINISTRATOR, False),
    ],
)
def test_who_must_have_one_is_led_to_set_it_up(
    settings: Settings, wanted: str, role: Role | None, led: bool
) -> None:
    settings.MFA_REQUIRED_FOR = wanted
    web = world.signed_in(world.person(role=role))
    answer = web.get("/")
    assert (answer.get("Location") == "/accounts/security/") is led
    if led:
        assert "A second factor is required here" in web.get("/accounts/security/").text
        couple(web)
        assert web.get("/", follow=True).redirect_chain in ([], [("/portal/", 302)])


def test_a_change_is_not_made_before_the_factor_is_there(settings: Settings, ada: User) -> None:
    settings.MFA_REQUIRED_FOR = "platform"
    answer = world.signed_in(ada).post(
        "/people/invite/", {"email": "a@b.example", "name": "A", "role": "viewer"}
    )
    assert (answer.status_code, answer["Location"]) == (302, "/accounts/security/")
    assert User.objects.count() == 1


def test_removing_it_leads_back_to_setting_it_up(settings: Settings, ada: User) -> None:
    settings.MFA_REQUIRED_FOR = "platform"
    web = world.signed_in(ada)
    couple(web)
    assert web.get("/").status_code == 200
    web.post(APP + "remove/")
    assert web.get("/").status_code == 302


def test_recovery_codes_alone_are_no_factor(settings: Settings, ada: User) -> None:
    settings.MFA_REQUIRED_FOR = "platform"
    Authenticator.objects.create(user=ada, type="recovery_codes", data={"seed": "", "used_mask": 0})
    assert world.signed_in(ada).get("/models/").status_code == 302


def test_who_comes_by_single_sign_on_follows_the_rules_over_there(
    settings: Settings, provider: Provider
) -> None:
    world.sync_roles()
    settings.MFA_REQUIRED_FOR = "everyone"
    provider.groups = ["admins"]
    client = Client()
    sign_in(client)
    assert client.get("/models/").status_code == 200


def test_a_factor_of_ours_is_asked_for_after_single_sign_on_too(ada: User, provider: Provider) -> None:
    secret = couple(world.signed_in(ada))
    provider.groups = ["admins"]
    client = Client()
    assert sign_in(client)["Location"] == "/accounts/second-factor/"
    assert not is_in(client)
    assert step(client, code_for(secret))


def test_seeds_and_codes_cannot_be_guessed(ada: User) -> None:
    seeds = {_seed_on(world.signed_in(ada)) for _ in range(20)}
    assert len(seeds) == 20
    # Base32: 5 bits a character; RFC 4226 asks for 128 at least.
    assert min(map(len, seeds)) * 5 >= 128
    web = world.signed_in(ada)
    couple(web)
    first, second = codes_of(web), codes_of(web, CODES + "make/")
    assert len({*first, *second}) == len(first) + len(second) == 20
    # Eight digits: 26 bits, where 20 are asked for.
    assert all(re.fullmatch(r"\d{8}", code) for code in [*first, *second])


def _seed_on(web: Client) -> str:
    found = re.search(r'<code class="secret" id="secret">([A-Z2-7]+)</code>', web.get(APP).text)
    assert found is not None
    return found[1]

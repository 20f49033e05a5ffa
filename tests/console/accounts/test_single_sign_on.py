"""Signing in at a provider: a real exchange over HTTP, and what people are here afterwards."""

from __future__ import annotations

import pytest
from allauth.socialaccount.models import SocialAccount, SocialToken
from django.test import Client
from pytest_django import Settings

from console.access import Permission, Role, can, role_of
from console.audit.entry import AuditEntry
from console.models import Membership, User
from tests.console.accounts.browser import LEAVE, is_in, leave, recorded, sent_back, sign_in
from tests.console.accounts.provider import Provider
from tests.deployments.pages import world

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def roles_exist(db: None) -> None:
    world.sync_roles()


def places(user: User) -> dict[str, str]:
    return dict(Membership.objects.filter(user=user).values_list("organization__slug", "role"))


def test_somebody_who_is_here_already_comes_in_by_a_vouched_address(provider: Provider) -> None:
    ada, client = world.person(role=Role.VIEWER), Client()
    provider.email, provider.groups = "Ada@Example.com", ["viewers"]
    answer = sign_in(client, next="/models/")
    assert (answer.status_code, answer["Location"]) == (302, "/models/")
    assert client.session["_auth_user_id"] == str(ada.pk)
    assert role_of(User.objects.get()) == "Viewer"


def test_the_request_carries_state_nonce_and_a_challenge(provider: Provider) -> None:
    provider.groups = ["viewers"]
    sign_in(Client())
    (asked,) = provider.asked
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["nonce"]) >= 32
    assert len(asked["state"]) >= 16
    assert set(asked["scope"].split()) == {"openid", "profile", "email"}


def test_two_sign_ins_never_share_a_nonce_or_a_state(provider: Provider) -> None:
    provider.groups = ["viewers"]
    for _ in range(2):
        sign_in(Client())
    first, second = provider.asked
    assert first["nonce"] != second["nonce"]
    assert first["state"] != second["state"]
    assert first["code_challenge"] != second["code_challenge"]


def test_somebody_new_comes_in_with_what_the_groups_grant(provider: Provider) -> None:
    world.organization("acme")
    client = Client()
    provider.groups = ["viewers", "acme", "acme-heads", "choir"]
    assert sign_in(client).status_code == 302
    user = User.objects.get()
    assert (user.email, user.name, user.has_usable_password()) == ("ada@example.com", "Ada Berg", False)
    assert can(user, Permission.VIEW)
    assert not can(user, Permission.DEPLOY)
    assert places(user) == {"acme": "owner"}
    assert is_in(client)


@pytest.mark.parametrize("groups", [[], ["choir"], "choir", None, {"viewers": True}, [["viewers"]]])
def test_somebody_new_without_a_granting_group_is_told_so(provider: Provider, groups: object) -> None:
    provider.groups = groups
    client = Client()
    answer = sign_in(client)
    assert answer.status_code == 403
    assert "None of your groups opens anything here." in answer.text
    assert not User.objects.exists()
    assert not is_in(client)


def test_one_group_may_come_as_a_single_word(provider: Provider) -> None:
    provider.groups = "viewers"
    sign_in(Client())
    assert role_of(User.objects.get()) == "Viewer"


def test_groups_of_another_claim_are_read_where_the_settings_say_so(
    provider: Provider, settings: Settings
) -> None:
    settings.OIDC_GROUPS_CLAIM = "roles"
    provider.claims["roles"] = ["admins"]
    sign_in(Client())
    assert role_of(User.objects.get()) == "Administrator"


def test_an_address_that_nobody_vouches_for_opens_no_account(provider: Provider) -> None:
    world.person(role=Role.ADMINISTRATOR)
    provider.groups = ["admins"]
    for verified in (False, None, "false", "true", 1):
        provider.verified = verified
        client = Client()
        answer = sign_in(client)
        assert answer.status_code == 403
        assert "does not vouch for your e-mail address" in answer.text
        assert not is_in(client)
    assert not SocialAccount.objects.exists()


def test_who_came_once_is_known_by_subject_whatever_their_address_becomes(provider: Provider) -> None:
    provider.groups = ["viewers"]
    sign_in(Client())
    provider.email, provider.verified = "berg@example.com", False
    client = Client()
    assert sign_in(client).status_code == 302
    assert is_in(client)
    assert User.objects.get().email == "ada@example.com"


def test_an_address_that_is_given_to_somebody_else_opens_nothing(provider: Provider) -> None:
    provider.groups = ["admins"]
    sign_in(Client())
    provider.subject = "u-2"
    client = Client()
    answer = sign_in(client)
    assert answer.status_code == 403
    assert "belongs to somebody else here" in answer.text
    assert not is_in(client)
    assert SocialAccount.objects.get().uid == "u-1"


def test_the_same_subject_of_another_issuer_is_somebody_else(provider: Provider) -> None:
    ada = world.person("root@example.com", Role.ADMINISTRATOR)
    SocialAccount.objects.create(user=ada, provider="https://elsewhere.example", uid="u-1")
    client = Client()
    assert sign_in(client).status_code == 403
    assert not is_in(client)


def test_a_group_that_is_taken_takes_the_role_and_ends_the_other_sessions(provider: Provider) -> None:
    world.organization("acme")
    provider.groups = ["admins", "acme"]
    before = Client()
    sign_in(before)
    assert is_in(before)
    provider.groups = ["viewers"]
    after = Client()
    sign_in(after)
    user = User.objects.get()
    assert role_of(user) == "Viewer"
    assert places(user) == {}
    assert not is_in(before)
    assert is_in(after)


def test_groups_that_stay_end_no_session(provider: Provider) -> None:
    provider.groups = ["viewers"]
    first, second = Client(), Client()
    sign_in(first)
    sign_in(second)
    assert is_in(first)
    assert is_in(second)


def test_organisations_that_the_provider_does_not_know_are_left_alone(provider: Provider) -> None:
    bea = world.tenant("ada@example.com", "globex", "acme")
    provider.groups = ["viewers"]
    sign_in(Client())
    assert places(bea) == {"globex": "member"}


def test_without_a_map_the_provider_only_says_who_somebody_is(provider: Provider, settings: Settings) -> None:
    settings.OIDC_ROLE_MAP = ""
    ada = world.person(role=Role.OPERATOR)
    sign_in(Client())
    assert role_of(User.objects.get(pk=ada.pk)) == "Operator"


def test_who_was_switched_off_stays_out(provider: Provider) -> None:
    ada = world.person()
    User.objects.filter(pk=ada.pk).update(is_active=False)
    provider.groups = ["admins"]
    client = Client()
    sign_in(client)
    assert not is_in(client)


def test_nothing_of_what_the_provider_said_is_kept(provider: Provider) -> None:
    provider.groups = ["viewers"]
    sign_in(Client())
    assert SocialAccount.objects.get().extra_data == {}
    assert not SocialToken.objects.exists()


def test_what_the_groups_changed_is_in_the_audit(provider: Provider) -> None:
    provider.groups = ["viewers"]
    sign_in(Client())
    assert recorded() == ["person.added", "person.role_changed"]
    made = AuditEntry.objects.filter(actor="single sign-on", object_name="ada@example.com")
    assert made.count() == 2


def test_leaving_takes_a_post_and_leads_only_to_pages_of_ours(provider: Provider) -> None:
    assert Client().get(LEAVE).status_code == 405
    provider.groups = ["viewers"]
    answer = sign_in(Client(), next="https://evil.example/")
    assert answer["Location"] == "/"


def test_the_page_on_the_way_keeps_to_the_content_policy(provider: Provider) -> None:
    answer = Client().post(LEAVE)
    assert "no-store" in answer["Cache-Control"]
    assert "form-action 'self'" in answer["Content-Security-Policy"]
    assert "<script>" not in answer.text


def test_the_sign_in_page_offers_the_provider_by_name(provider: Provider) -> None:
    assert "Sign in with Example ID" in Client().get("/sign-in/").text


def test_without_a_provider_nothing_is_offered(settings: Settings) -> None:
    settings.OIDC_ISSUER = ""
    assert "Sign in with" not in Client().get("/sign-in/").text
    assert Client().post(LEAVE).status_code == 404


def test_somebody_who_cancels_is_back_at_the_sign_in(provider: Provider) -> None:
    client = Client()
    url = leave(client)
    state = dict(part.split("=") for part in url.partition("?")[2].split("&"))["state"]
    answer = client.get(f"/accounts/single-sign-on/return/?error=access_denied&state={state}", follow=True)
    assert answer.redirect_chain[-1][0] == "/sign-in/"
    assert "You did not sign in with Example ID." in answer.text


def test_a_provider_that_is_away_gives_a_page_and_no_error(provider: Provider, settings: Settings) -> None:
    settings.OIDC_ISSUER = "http://127.0.0.1:9"
    answer = Client().post(LEAVE)
    assert answer.status_code == 401
    assert "The sign-in did not work" in answer.text


def test_what_is_sent_back_does_not_go_into_the_log(
    provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    client = Client()
    back = sent_back(leave(client))
    code = back.partition("code=")[2].partition("&")[0]
    provider.claims["nonce"] = "another"
    assert client.get(back).status_code == 401
    assert "nonce" in caplog.text
    assert code not in "".join(r.getMessage() for r in caplog.records if r.name.startswith("console"))

"""Signing in, and the pages that say what went wrong: calm, in our words, and possible without any context."""

import re

import pytest
from django.template.loader import render_to_string
from django.urls import reverse

from console.models import User


@pytest.mark.parametrize("name", ["400", "403", "403_csrf", "404", "429", "500"])
def test_an_error_page_needs_no_context(name):
    html = render_to_string(f"{name}.html")

    assert re.search(r"<h1>\w[^<]*</h1>", html)
    assert 'href="/"' in html


def test_a_refusal_says_its_sentence():
    assert "At most 1 MiB is taken." in render_to_string(
        "refused.html", {"sentence": "At most 1 MiB is taken."}
    )


@pytest.mark.django_db
def test_the_sign_in_page_asks_for_the_address_and_the_password(client):
    html = client.get(reverse("account_login")).text

    assert re.findall(r'<label for="([^"]+)"', html) == ["id_login", "id_password"]
    assert 'autocomplete="current-password"' in html


@pytest.mark.django_db
def test_a_wrong_password_is_told_in_the_summary_and_the_address_stays(client):
    html = client.post(reverse("account_login"), {"login": "alice@example.com", "password": "wrong"}).text

    assert "Cannot sign in" in html
    assert 'value="alice@example.com"' in html
    assert "wrong" not in re.sub(r"<[^>]+>", "", html)


@pytest.mark.django_db
def test_signing_in_needs_the_exact_password_and_leads_on(client):
    User.objects.create_user(email="alice@example.com", password="correct-horse-battery")

    answer = client.post(
        reverse("account_login"),
        {"login": "alice@example.com", "password": "correct-horse-battery", "next": "/models/"},
    )

    assert (answer.status_code, answer["Location"]) == (302, "/models/")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "name", ["account_reset_password", "account_reset_password_done", "account_inactive", "account_signup"]
)
def test_the_other_account_pages_wear_the_same_clothes(client, name):
    html = client.get(reverse(name)).text

    assert 'class="entrance"' in html
    assert html.count("<h1>") == 1


def test_pages_of_allauth_without_a_template_of_ours_still_get_the_frame():
    html = render_to_string("account/verification_sent.html")

    assert 'class="entrance"' in html
    assert html.count("<h1>") == 1

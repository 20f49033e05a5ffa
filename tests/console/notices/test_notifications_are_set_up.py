"""The pages of notifications: made, edited, tried, given a new secret, deleted; a secret is in one answer only."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from console.access import Role
from console.models import AuditEntry
from console.notices.announcing import announce
from console.notices.kinds import DeliveryState, Kind
from console.notices.rows import Delivery, Subscription
from tests.console.notices import world as notices
from tests.deployments.pages import world

pytestmark = pytest.mark.django_db
PAGE = "/notifications/"
MOST_QUERIES = 8


@pytest.fixture
def web(valkey: Any) -> Client:
    return world.signed_in(world.person())


def given(**changes: Any) -> dict[str, Any]:
    return {"name": "On-call", "kinds": ["deployment.failed"], "reach": "all", "is_on": "on", **changes}


def recorded() -> QuerySet[AuditEntry]:
    return AuditEntry.objects.filter(action__startswith="subscription.")


def text(answer: Any) -> str:
    return answer.content.decode()  # type: ignore[no-any-return]


def test_it_is_off_until_somebody_asks(web: Client) -> None:
    assert "Nobody is notified yet" in text(web.get(PAGE))


def test_a_webhook_is_made_and_its_secret_shown_once(web: Client) -> None:
    answer = web.post(f"{PAGE}new/webhook/", given(url="https://hooks.example.com/x?y=z"))
    (secret,) = re.findall(r"whsec_[\w+/=]+", text(answer).replace("&#x3D;", "="))
    assert "no-store" in answer["Cache-Control"]
    subscription = Subscription.objects.get()
    assert subscription.secret.reveal() == secret
    assert secret not in subscription.secret.ciphertext
    for address in (PAGE, f"{PAGE}{subscription.pk}/", f"{PAGE}{subscription.pk}/edit/"):
        assert "whsec_" not in text(web.get(address))
    entry = recorded().get()
    assert entry.action == "subscription.made"
    assert "whsec_" not in str(entry.changes)


def test_sent_twice_it_is_made_once(web: Client) -> None:
    for expected in (200, 422):
        assert (
            web.post(f"{PAGE}new/webhook/", given(url="https://hooks.example.com/")).status_code == expected
        )
    assert Subscription.objects.count() == 1


def test_a_mail_is_made_with_its_addresses(web: Client) -> None:
    deployment = world.deployment("chat")
    wanted = given(
        addresses="ops@example.com\nada@example.com, ops@example.com",
        reach="chosen",
        deployments=[str(deployment.pk)],
    )
    answer = web.post(f"{PAGE}new/email/", wanted, follow=True)
    assert "On-call is made." in text(answer)
    subscription = Subscription.objects.get()
    assert subscription.addresses == ["ops@example.com", "ada@example.com"]
    assert subscription.deployments == [deployment.pk]
    assert str(subscription.created_by) == "Ada Berg"


@pytest.mark.parametrize(
    ("channel", "change", "said"),
    [
        ("webhook", {"url": "https://127.0.0.1/"}, "is an address inside"),
        ("webhook", {"url": "https://169.254.169.254/"}, "metadata service"),
        ("webhook", {"url": "https://2130706433/"}, "unusual spelling of 127.0.0.1"),
        ("webhook", {"url": "http://hooks.example.com/"}, "must begin with https://"),
        ("webhook", {"url": "file:///etc/passwd"}, "must begin with https://"),
        ("webhook", {"url": "https://a:b@hooks.example.com/"}, "user name or password"),
        ("webhook", {"url": ""}, "required"),
        ("email", {"addresses": "nobody"}, "nobody is no e-mail address"),
        ("email", {"addresses": "a@example.com\r\nBcc: b@example.com"}, "Bcc: is no e-mail address"),
        ("email", {"addresses": " ".join(f"a{n}@example.com" for n in range(21))}, "at most 20"),
        ("email", {"addresses": ""}, "required"),
        ("email", {"addresses": "a@example.com", "kinds": []}, "Tick at least one."),
        ("email", {"addresses": "a@example.com", "kinds": ["slipway.test"]}, "not one of the available"),
        ("email", {"addresses": "a@example.com", "name": ""}, "required"),
        ("email", {"addresses": "a@example.com", "reach": "chosen"}, "Tick at least one, or choose"),
        ("email", {"addresses": "a@example.com", "deployments": ["999"]}, "not one of the available"),
    ],
)
def test_what_makes_no_sense_is_refused(web: Client, channel: str, change: dict[str, Any], said: str) -> None:
    world.deployment("chat")
    answer = web.post(f"{PAGE}new/{channel}/", given(**change))
    assert answer.status_code == 422
    assert said in text(answer)
    assert not Subscription.objects.exists()


def test_editing_keeps_the_secret_and_is_recorded(web: Client) -> None:
    subscription = notices.webhook()
    before = subscription.secret.reveal()
    wanted = given(name="Hook", url="https://other.example.com/")
    assert web.post(f"{PAGE}{subscription.pk}/edit/", wanted).status_code == 302
    subscription.refresh_from_db()
    assert (subscription.url, subscription.secret.reveal()) == ("https://other.example.com/", before)
    entry = recorded().get()
    assert entry.action == "subscription.edited"
    assert entry.changes["host"] == ["hooks.example.com", "other.example.com"]
    assert entry.changes["url"] == ["Secret", "Another secret"]


def test_the_path_of_an_address_may_be_a_password_and_is_in_no_record(web: Client) -> None:
    web.post(f"{PAGE}new/webhook/", given(url="https://hooks.example.com/services/canary-path?k=canary"))
    subscription = Subscription.objects.get()
    web.post(f"{PAGE}{subscription.pk}/edit/", given(url="https://hooks.example.com/services/canary-two"))
    web.post(f"{PAGE}{subscription.pk}/delete/")
    assert recorded().count() == 3
    assert "canary" not in "".join(str(entry.changes) for entry in recorded())


def test_editing_nothing_is_not_recorded(web: Client) -> None:
    subscription = notices.webhook(kinds=["deployment.failed"])
    web.post(f"{PAGE}{subscription.pk}/edit/", given(name="Hook", url=subscription.url))
    assert not recorded().exists()


def test_switched_off_it_sends_nothing_that_waits(web: Client) -> None:
    subscription = notices.webhook()
    announce(notices.failed())
    wanted = given(name="Hook", url=subscription.url, is_on="")
    web.post(f"{PAGE}{subscription.pk}/edit/", wanted)
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.error) == (DeliveryState.GIVEN_UP, "The subscription was switched off.")
    assert "is off. Switch it on first." in text(web.post(f"{PAGE}{subscription.pk}/test/", follow=True))
    again = f"{PAGE}deliveries/{delivery.pk}/again/"
    assert "is off. Switch it on first." in text(web.post(again, follow=True))


def test_a_new_secret_replaces_the_old_one_after_a_day(web: Client) -> None:
    subscription = notices.webhook()
    old = subscription.secret.reveal()
    address = f"{PAGE}{subscription.pk}/secret/"
    assert "whsec_" not in text(web.get(address))
    assert "whsec_" in text(web.post(address))
    subscription.refresh_from_db()
    assert subscription.secret.reveal() != old
    assert subscription.previous_secret.reveal() == old
    assert recorded().get().action == "subscription.secret_rotated"
    assert "with the old one too until" in text(web.get(f"{PAGE}{subscription.pk}/"))
    mail = notices.mail()
    assert web.post(f"{PAGE}{mail.pk}/secret/").status_code == 404


def test_a_test_is_sent_to_this_one_alone(web: Client) -> None:
    subscription = notices.mail()
    notices.webhook()
    answer = web.post(f"{PAGE}{subscription.pk}/test/", follow=True)
    assert "A test is under way." in text(answer)
    assert 'hx-trigger="every 3s"' in text(answer)
    delivery = Delivery.objects.get()
    assert (delivery.subscription_id, delivery.notice.kind) == (subscription.pk, Kind.TEST)


def test_what_was_given_up_is_delivered_again(web: Client) -> None:
    notices.mail()
    announce(notices.failed())
    Delivery.objects.update(state=DeliveryState.GIVEN_UP, attempts=30, error="The mail server answered 550.")
    assert "The mail server answered 550." in text(web.get(PAGE))
    delivery = Delivery.objects.get()
    assert web.post(f"{PAGE}deliveries/{delivery.pk}/again/").status_code == 302
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts, delivery.error) == (DeliveryState.WAITING, 0, "")
    assert delivery.due_at <= timezone.now()
    assert recorded().get().action == "subscription.delivered_again"


def test_deleted_it_is_gone_with_what_waited(web: Client) -> None:
    subscription = notices.mail()
    announce(notices.failed())
    address = f"{PAGE}{subscription.pk}/delete/"
    assert "1 waiting notification included" in text(web.get(address))
    assert "Mail is deleted." in text(web.post(address, follow=True))
    assert not Delivery.objects.exists()
    assert web.get(address).status_code == 404
    assert recorded().get().action == "subscription.deleted"


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.BILLING, Role.VIEWER])
def test_only_administrators_see_them(web: Client, role: Role) -> None:
    subscription = notices.mail()
    other = world.signed_in(world.person("op@example.com", role))
    for address in (PAGE, f"{PAGE}new/email/", f"{PAGE}{subscription.pk}/"):
        assert other.get(address).status_code == 403
    assert 'href="/notifications/"' not in text(other.get("/"))
    assert 'href="/notifications/"' in text(web.get("/"))


@pytest.mark.parametrize("address", ["", "{pk}/"])
def test_a_page_costs_the_same_for_many(web: Client, address: str) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert web.get(PAGE + address.format(pk=subscription.pk)).status_code == 200
        return len(captured)

    subscription = notices.mail(deployments=[world.deployment("chat").pk])
    announce(notices.failed(deployment_id=subscription.deployments[0]))
    few = queries()
    for number in range(30):
        notices.mail(name=f"Mail {number}")
    announce(*(notices.failed(f"{n}", deployment_id=subscription.deployments[0]) for n in range(60)))
    assert queries() == few <= MOST_QUERIES


def test_a_name_is_text_and_no_markup(web: Client) -> None:
    notices.mail(name="<script>alert(1)</script>")
    announce(notices.failed(subject="<b>chat</b>", path="/deployments/chat/"))
    shown = text(web.get(PAGE))
    assert "<script>alert" not in shown
    assert "<b>chat" not in shown

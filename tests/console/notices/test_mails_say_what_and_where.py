"""Mails: what and where in the subject, a sentence, a remedy and a link; and no name gets into a header."""

from __future__ import annotations

import smtplib
import socket
from datetime import timedelta
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest
from django.core import mail
from django.utils import timezone
from pytest_django import Settings

from console.notices import delivering
from console.notices.announcing import announce
from console.notices.kinds import DeliveryState
from console.notices.rows import Delivery
from tests.console.notices import world

pytestmark = pytest.mark.django_db


def sent() -> mail.EmailMultiAlternatives:
    world.make_due()
    for delivery in Delivery.objects.all():
        assert delivering.deliver(delivery.pk)
    (message,) = mail.outbox
    return message  # type: ignore[return-value]


def test_a_mail_says_what_where_why_and_what_to_do(settings: Settings) -> None:
    settings.CONSOLE_URL, settings.ENVIRONMENT_NAME = "https://console.example.com/", "Production"
    world.mail("ops@example.com", "ada@example.com")
    announce(world.failed())
    message = sent()
    assert message.subject == "[Slipway Production] Deployment failed: chat on fra-1"
    assert message.to == ["ops@example.com", "ada@example.com"]
    text = str(message.body)
    assert text.startswith(
        "Cannot pull image X: 401 unauthorised.\n\nAdd the registry secret.\n\n"
        "https://console.example.com/deployments/chat/\n\n"
    )
    assert "“Mail” under https://console.example.com/notifications/." in text
    assert Delivery.objects.get().state == DeliveryState.DELIVERED


def test_one_that_happened_often_says_how_often() -> None:
    world.mail()
    quiet, now = timedelta(minutes=10), timezone.now()
    announce(world.failed("0", at=now - timedelta(minutes=9), quiet=quiet))
    Delivery.objects.all().delete()
    for number in (1, 2, 3):
        announce(world.failed(f"{number}", at=now - timedelta(minutes=9 - number), quiet=quiet))
    assert str(sent().body).startswith("This happened 3 times, first at ")


@pytest.mark.parametrize(
    "name", ["Acme\r\nBcc: all@example.com", "Acme\nX: y", "A\u2028Bcc: b", "A\x0bB\x85C\x1f"]
)
def test_a_name_gets_into_no_header(name: str) -> None:
    world.mail(name=name)
    announce(world.failed(subject=name, place=name, sentence=f"{name} is there.", remedy=name))
    raw = message_from_bytes(sent().message().as_bytes(), policy=default)
    assert raw["Bcc"] is None
    assert raw["X"] is None
    assert raw["Subject"].startswith("[Slipway] Deployment failed: A")
    assert len(raw.get_all("Subject") or []) == 1


def test_a_long_name_is_cut() -> None:
    world.mail()
    announce(world.failed(subject="ä" * 400))
    assert len(sent().subject) <= 180


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (smtplib.SMTPRecipientsRefused({"ops@example.com": (550, b"no")}), "refuses every one"),
        (smtplib.SMTPAuthenticationError(535, b"password hunter2 is wrong"), "answered 535"),
        (smtplib.SMTPServerDisconnected("gone"), "could not be reached"),
        (TimeoutError(), "could not be reached"),
        (socket.gaierror(), "could not be reached"),
    ],
)
def test_what_the_mail_server_says_is_told_without_its_text(
    error: Exception, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr("django.core.mail.EmailMessage.send", refuse)
    world.mail()
    announce(world.failed())
    (delivery,) = Delivery.objects.all()
    assert delivering.deliver(delivery.pk)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts) == (DeliveryState.WAITING, 1)
    assert said in delivery.error
    assert "hunter2" not in delivery.error

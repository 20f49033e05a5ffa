"""Notices by e-mail: plain text, to the addresses of a subscription."""

from __future__ import annotations

import smtplib

from django.conf import settings
from django.core.mail import EmailMessage

from console.notices import wording
from console.notices.rows import Notice, Subscription


class Unsent(RuntimeError):
    """The mail server did not take it; the message is a sentence for people."""


def console_url() -> str:
    """The console's public base address, for links."""
    url: str = settings.CONSOLE_URL
    return url.rstrip("/")


def send(notice: Notice, subscription: Subscription) -> None:
    """Raises Unsent."""
    message = EmailMessage(
        wording.subject(notice, settings.ENVIRONMENT_NAME),
        wording.mail(notice, console_url(), subscription.name),
        to=subscription.addresses,
        headers={
            "Message-ID": f"<{notice.id}.{subscription.pk}@slipway>",
            "Auto-Submitted": "auto-generated",
        },
    )
    try:
        message.send()
    except smtplib.SMTPRecipientsRefused as error:
        raise Unsent("The mail server refuses every one of the addresses.") from error
    except smtplib.SMTPResponseException as error:
        raise Unsent(f"The mail server answered {error.smtp_code}.") from error
    except (smtplib.SMTPException, OSError) as error:
        raise Unsent(f"The mail server could not be reached, or hung up ({type(error).__name__}).") from error

"""How an API key stands, in words, with the tone that goes with them. Pure but for the row it looks at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from deployments.vocabulary import Tone
from metering.models import ApiKey

SOON = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class KeyState:
    label: str
    tone: Tone
    icon: str = ""
    works: bool = True
    is_final: bool = False
    """It will never work again."""


ACTIVE = KeyState("Active", Tone.GOOD)
ENDS_SOON = KeyState("Expires soon", Tone.WARN)
REPLACED = KeyState("Replaced, still works", Tone.WARN)
SUSPENDED = KeyState("Suspended", Tone.WARN, "circle-pause", works=False)
"""Its person was disabled or has left, or the organisation is suspended; it works again when that is over."""
EXPIRED = KeyState("Expired", Tone.IDLE, "moon", works=False, is_final=True)
REVOKED = KeyState("Revoked", Tone.IDLE, "circle-stop", works=False, is_final=True)


def state_of(key: ApiKey, now: datetime) -> KeyState:
    """`is_replaced` and `is_suspended` are annotations of the queries that list keys."""
    if key.revoked_at is not None:
        return REVOKED
    if key.expires_at is not None and key.expires_at <= now:
        return EXPIRED
    if getattr(key, "is_suspended", False):
        return SUSPENDED
    if getattr(key, "is_replaced", False):
        return REPLACED
    if key.expires_at is not None and key.expires_at <= now + SOON:
        return ENDS_SOON
    return ACTIVE

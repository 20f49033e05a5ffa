"""Mistakes in the settings, as Django system checks with stable ids."""

import ipaddress
from typing import Any

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.core.exceptions import ImproperlyConfigured

from console.audit.retention import SHORTEST_DAYS


@register()
def settings_are_usable(**_: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    try:
        has_key = bool(settings.SECRET_KEY)
    except ImproperlyConfigured:  # Django's way of saying that it is empty
        has_key = False
    if not has_key:
        found.append(Error("SECRET_KEY is empty.", hint="Set a long random value.", id="slipway.E001"))
    if not settings.FIELD_ENCRYPTION_KEYS:
        hint = "Generate one with cryptography's Fernet.generate_key()."
        found.append(
            Error("FIELD_ENCRYPTION_KEYS is empty, so no secret can be stored.", hint=hint, id="slipway.E002")
        )
    for position, key in enumerate(settings.FIELD_ENCRYPTION_KEYS, start=1):
        try:
            Fernet(key)
        except ValueError:
            found.append(
                Error(f"Key {position} of FIELD_ENCRYPTION_KEYS is not a Fernet key.", id="slipway.E003")
            )
    if not settings.DEBUG and "*" in settings.ALLOWED_HOSTS:
        found.append(Warning("ALLOWED_HOSTS allows every host name.", id="slipway.W001"))
    if not settings.GATEWAY_URL.startswith(("https://", "http://")):
        found.append(Error("GATEWAY_URL must start with https:// or http://.", id="slipway.E004"))
    if settings.AUDIT_RETENTION_DAYS != 0 and settings.AUDIT_RETENTION_DAYS < SHORTEST_DAYS:
        hint = f"Set {SHORTEST_DAYS} days or more, or 0 to keep them for ever."
        found.append(Error("AUDIT_RETENTION_DAYS is too short.", hint=hint, id="slipway.E020"))
    if not settings.CONSOLE_URL.startswith(("https://", "http://")):
        found.append(Error("CONSOLE_URL must start with https:// or http://.", id="slipway.E008"))
    for text in settings.WEBHOOK_NETWORKS:
        try:
            ipaddress.ip_network(text.strip())
        except ValueError:
            hint = "Write it as 10.20.0.0/16."
            found.append(
                Error(f"{text!r} in WEBHOOK_NETWORKS is not a network.", hint=hint, id="slipway.E009")
            )
    return found

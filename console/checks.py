"""Mistakes in the settings, as Django system checks with stable ids."""

import ipaddress
from typing import Any
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.core.exceptions import ImproperlyConfigured

from console.audit.retention import SHORTEST_DAYS
from console.second_factor.policy import CHOICES
from console.single_sign_on import role_map


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
    if not settings.GATEWAY_INTERNAL_URL.startswith(("https://", "http://")):
        hint = "Leave it empty where the console reaches the gateway at GATEWAY_URL."
        found.append(
            Error("GATEWAY_INTERNAL_URL must start with https:// or http://.", hint=hint, id="slipway.E006")
        )
    if settings.SECURE and urlsplit(settings.GATEWAY_URL).hostname == urlsplit(settings.CONSOLE_URL).hostname:
        hint = "Give the gateway a host name of its own, so that nothing that it serves shares the console's cookies."
        found.append(Warning("GATEWAY_URL and CONSOLE_URL are one host.", hint=hint, id="slipway.W002"))
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


@register()
def accounts_are_usable(**_: Any) -> list[CheckMessage]:
    """Sign-in, second factors and sessions. The role map is read once more at every sign-in, by the same function."""
    found: list[CheckMessage] = []
    if settings.MFA_REQUIRED_FOR not in CHOICES:
        hint = f"One of {', '.join(CHOICES)}."
        found.append(Error("MFA_REQUIRED_FOR is none of its values.", hint=hint, id="slipway.E030"))
    if not 0 < settings.SESSION_IDLE_SECONDS <= settings.SESSION_MAX_SECONDS:
        found.append(
            Error("SESSION_IDLE_SECONDS must be above 0 and at most SESSION_MAX_SECONDS.", id="slipway.E031")
        )
    if settings.OIDC_ONLY and not settings.OIDC_ISSUER:
        hint = "Without a provider only superusers could sign in."
        found.append(Error("OIDC_ONLY is on, but OIDC_ISSUER is empty.", hint=hint, id="slipway.E032"))
    if settings.OIDC_ISSUER:
        found += _single_sign_on()
    return found


def _single_sign_on() -> list[CheckMessage]:
    found: list[CheckMessage] = []
    place = urlsplit(settings.OIDC_ISSUER)
    if place.scheme not in ("https", "http") or not place.hostname or len(settings.OIDC_ISSUER) > 200:
        found.append(Error("OIDC_ISSUER is not an address of at most 200 characters.", id="slipway.E033"))
    elif place.scheme == "http" and place.hostname not in ("localhost", "127.0.0.1", "::1"):
        hint = "Anybody on the way could sign in as anybody."
        found.append(Error("OIDC_ISSUER is not https.", hint=hint, id="slipway.E034"))
    if not settings.OIDC_CLIENT_ID or not settings.OIDC_CLIENT_SECRET:
        found.append(Error("OIDC_CLIENT_ID or OIDC_CLIENT_SECRET is empty.", id="slipway.E035"))
    if "openid" not in settings.OIDC_SCOPES:
        found.append(Error("OIDC_SCOPES lacks openid.", id="slipway.E036"))
    try:
        role_map.read(settings.OIDC_ROLE_MAP)
    except role_map.InvalidRoleMap as error:
        found.append(Error(str(error), id="slipway.E037"))
    return found

"""Mistakes in the settings are found by `manage.py check`, each with the id that the documentation names."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django import Settings

from console.checks import accounts_are_usable, settings_are_usable

KEY = "b25seS1mb3ItdGVzdHMtMzItYnl0ZXMtMDEyMzQ1Njc="
ONE_HOST = {"GATEWAY_URL": "https://llm.example.com/gateway", "CONSOLE_URL": "https://llm.example.com"}
MISTAKES = [
    ({"SECRET_KEY": ""}, ["slipway.E001"]),
    ({"FIELD_ENCRYPTION_KEYS": []}, ["slipway.E002"]),
    ({"FIELD_ENCRYPTION_KEYS": ["no key"]}, ["slipway.E003"]),
    ({"FIELD_ENCRYPTION_KEYS": [KEY, "no key", KEY[:-4]]}, ["slipway.E003", "slipway.E003"]),
    ({"FIELD_ENCRYPTION_KEYS": [KEY, "schlüssel"]}, ["slipway.E003"]),
    ({"GATEWAY_URL": "api.example.com"}, ["slipway.E004"]),
    ({"GATEWAY_URL": ""}, ["slipway.E004"]),
    ({"CONSOLE_URL": "console.example.com"}, ["slipway.E008"]),
    ({"WEBHOOK_NETWORKS": ["10.0.0.0/8", "10.0.0.1/8", "inside"]}, ["slipway.E009", "slipway.E009"]),
    ({"ALLOWED_HOSTS": ["*"], "DEBUG": False}, ["slipway.W001"]),
    ({"ALLOWED_HOSTS": ["*"], "DEBUG": True}, []),
    ({**ONE_HOST, "SECURE": True}, ["slipway.W002"]),
    ({**ONE_HOST, "SECURE": False}, []),
    ({"SECRET_KEY": "", "GATEWAY_URL": "no"}, ["slipway.E001", "slipway.E004"]),
]


@pytest.mark.parametrize(("values", "ids"), MISTAKES, ids=str)
def test_a_mistake_is_found(values: dict[str, Any], ids: list[str], settings: Settings) -> None:
    for name, value in values.items():
        setattr(settings, name, value)
    assert sorted(str(message.id) for message in settings_are_usable()) == ids


def test_good_settings_are_silent() -> None:
    assert settings_are_usable() == []


def test_a_wrong_key_is_told_by_its_place_and_not_by_its_text(settings: Settings) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [KEY, "canary-key"]
    (message,) = settings_are_usable()
    assert "Key 2" in message.msg
    assert "canary" not in str(message)


ISSUER = {"OIDC_ISSUER": "https://id.example.com", "OIDC_CLIENT_ID": "slipway", "OIDC_CLIENT_SECRET": "x"}
ACCOUNT_MISTAKES = [
    ({"MFA_REQUIRED_FOR": "administrators"}, ["slipway.E030"]),
    ({"MFA_REQUIRED_FOR": ""}, ["slipway.E030"]),
    ({"MFA_REQUIRED_FOR": "platform"}, []),
    ({"SESSION_IDLE_SECONDS": 0}, ["slipway.E031"]),
    ({"SESSION_IDLE_SECONDS": 7200, "SESSION_MAX_SECONDS": 3600}, ["slipway.E031"]),
    ({"OIDC_ONLY": True}, ["slipway.E032"]),
    ({**ISSUER, "OIDC_ONLY": True}, []),
    ({**ISSUER, "OIDC_ISSUER": "id.example.com"}, ["slipway.E033"]),
    ({**ISSUER, "OIDC_ISSUER": "https://id.example.com/" + "x" * 200}, ["slipway.E033"]),
    ({**ISSUER, "OIDC_ISSUER": "http://id.example.com"}, ["slipway.E034"]),
    ({**ISSUER, "OIDC_ISSUER": "http://127.0.0.1:9000"}, []),
    ({**ISSUER, "OIDC_CLIENT_ID": ""}, ["slipway.E035"]),
    ({**ISSUER, "OIDC_CLIENT_SECRET": ""}, ["slipway.E035"]),
    ({**ISSUER, "OIDC_SCOPES": ["profile"]}, ["slipway.E036"]),
    ({**ISSUER, "OIDC_ROLE_MAP": "admins=administrator"}, ["slipway.E037"]),
    ({**ISSUER, "OIDC_ROLE_MAP": '["administrator"]'}, ["slipway.E037"]),
    ({**ISSUER, "OIDC_ROLE_MAP": '{"admins": "root"}'}, ["slipway.E037"]),
    ({**ISSUER, "OIDC_ROLE_MAP": '{"admins": ["administrator", 7]}'}, ["slipway.E037"]),
    ({**ISSUER, "OIDC_ROLE_MAP": '{"admins": {"role": "administrator"}}'}, ["slipway.E037"]),
    ({**ISSUER, "OIDC_ROLE_MAP": '{"acme": "organization:acme:boss"}'}, ["slipway.E037"]),
    ({**ISSUER, "OIDC_ROLE_MAP": '{"acme": "organization::owner"}'}, ["slipway.E037"]),
    ({**ISSUER, "OIDC_ROLE_MAP": '{"a": "viewer", "b": ["billing", "organization:acme:owner"]}'}, []),
]


@pytest.mark.parametrize(("values", "ids"), ACCOUNT_MISTAKES, ids=str)
def test_a_mistake_in_how_people_sign_in_is_found(
    values: dict[str, Any], ids: list[str], settings: Settings
) -> None:
    for name, value in values.items():
        setattr(settings, name, value)
    assert [str(message.id) for message in accounts_are_usable()] == ids


def test_no_secret_is_part_of_what_is_said(settings: Settings) -> None:
    settings.OIDC_ISSUER, settings.OIDC_CLIENT_SECRET = "http://id.example.com", "canary"
    assert "canary" not in str(accounts_are_usable())

"""How allauth keeps second factors here: sealed like every other secret, and under our name."""

from typing import Any

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator

from console.encryption import Sealed
from console.models import User


class ConsoleMFAAdapter(DefaultMFAAdapter):
    error_messages = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": "The code is not right. Codes change every 30 seconds and are taken once.",
    }

    def encrypt(self, text: str) -> str:
        return Sealed.of(text).ciphertext

    def decrypt(self, encrypted_text: str) -> str:
        return Sealed(encrypted_text).reveal()

    def get_totp_issuer(self) -> str:
        return "Slipway"

    def generate_authenticator_name(self, user: User, type: Any) -> str:
        number = Authenticator.objects.filter(user=user, type=type).count() + 1
        return f"Passkey {number}"

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        return {**super().get_public_key_credential_rp_entity(), "name": "Slipway"}

"""The exchange with the provider: allauth's code flow with PKCE and state, and what it leaves to others.

allauth neither sends a nonce nor looks at the signature of a token that it fetched itself; both are done here.
"""

from collections.abc import Mapping
from typing import Any

from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.models import SocialApp, SocialLogin, SocialToken
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from allauth.utils import build_absolute_uri
from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from console.single_sign_on.tokens import Unbelievable, believe


class Refused(OAuth2Error):
    """The provider's answer cannot be taken; the message says why and holds no secret."""


class Exchange(OpenIDConnectOAuth2Adapter):
    nonce = ""
    max_age: int | None = None

    @property
    def openid_config(self) -> dict[str, Any]:
        """What the provider says of itself, which must be the one we were told of."""
        found = super().openid_config
        if not isinstance(found, dict) or found.get("issuer") != settings.OIDC_ISSUER:
            raise Refused("The discovery document names another issuer.")
        missing = {"authorization_endpoint", "token_endpoint", "jwks_uri"} - found.keys()
        if missing:
            raise Refused(f"The discovery document lacks {', '.join(sorted(missing))}.")
        return found

    def get_callback_url(self, request: HttpRequest, app: SocialApp) -> str:
        return str(build_absolute_uri(request, reverse("single_sign_on_callback")))

    def expect(self, state: Mapping[str, Any]) -> None:
        """What was put aside when the person was sent away."""
        data = state.get("data") or {}
        self.nonce, self.max_age = data.get("nonce", ""), data.get("max_age")

    def complete_login(
        self, request: HttpRequest, app: SocialApp, token: SocialToken, **kwargs: Any
    ) -> SocialLogin:
        claims = self._claims(kwargs["response"].get("id_token"))
        if "userinfo_endpoint" in self.openid_config:
            more = self._fetch_user_info(token.token)
            # Section 5.3.2: without this, one person's answer could be given for another.
            if not isinstance(more, dict) or more.get("sub") != claims["sub"]:
                raise Refused("The userinfo endpoint speaks of somebody else.")
            claims = {**more, **claims}
        login = self.get_provider().sociallogin_from_response(request, claims)
        login.claims = claims
        return login

    def _claims(self, id_token: object) -> dict[str, Any]:
        if not isinstance(id_token, str) or not self.nonce:
            raise Refused("The token endpoint sent no ID token.")
        with get_adapter().get_requests_session() as session:
            answer = session.get(self.openid_config["jwks_uri"])
            answer.raise_for_status()
            keys = answer.json()
        try:
            return believe(
                id_token,
                keys,
                issuer=settings.OIDC_ISSUER,
                client=settings.OIDC_CLIENT_ID,
                nonce=self.nonce,
                max_age=self.max_age,
            )
        except Unbelievable as error:
            raise Refused(f"The ID token is not valid. {error}") from None


class Provider(OpenIDConnectProvider):
    oauth2_adapter_class = Exchange

    def extract_uid(self, data: Mapping[str, Any]) -> str:
        return str(data["sub"])

    def extract_extra_data(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Nothing of what the provider says is kept: it is asked again at every sign-in."""
        return {}

    def extract_email_addresses(self, data: Mapping[str, Any]) -> list[Any]:
        return []

    def extract_common_fields(self, data: Mapping[str, Any]) -> dict[str, Any]:
        return {}

"""Who comes in from the provider, and as what.

Who was here before is known by issuer and subject; the first time, by an e-mail address that the provider vouches for.
Everybody else comes in only when their groups grant something.
"""

import logging
from typing import Any, NoReturn

from allauth.account.internal.flows.login import record_authentication
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialLogin
from allauth.socialaccount.providers.base import AuthError
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.hashers import make_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.http import HttpRequest
from django.shortcuts import redirect, render

from console.audit import acting_as_program, record
from console.models import Membership, Organization, User
from console.people import roles
from console.sessions import end_all
from console.single_sign_on import is_on, role_map
from console.single_sign_on.provider import Provider, Refused
from console.single_sign_on.role_map import Grants, RoleMap

logger = logging.getLogger(__name__)
REAUTHENTICATION = "reauthentication"


class NotAdmitted(Exception):
    """The provider knows this person, but they may not come in; the message says why, to them."""


class ConsoleSocialAccountAdapter(DefaultSocialAccountAdapter):
    """allauth's questions about single sign-on, answered from our settings."""

    def list_apps(
        self, request: HttpRequest | None, provider: str | None = None, client_id: str | None = None
    ) -> list[SocialApp]:
        """One, named after its issuer, so that subjects of two issuers are never taken for each other."""
        if not is_on() or provider not in (None, "openid_connect", settings.OIDC_ISSUER):
            return []
        return [
            SocialApp(
                provider="openid_connect",
                provider_id=settings.OIDC_ISSUER,
                name=settings.OIDC_NAME,
                client_id=settings.OIDC_CLIENT_ID,
                secret=settings.OIDC_CLIENT_SECRET,
                settings={
                    "server_url": settings.OIDC_ISSUER.rstrip("/"),
                    "scope": list(settings.OIDC_SCOPES),
                    "oauth_pkce_enabled": True,
                },
            )
        ]

    def get_provider(self, request: HttpRequest, provider: str, client_id: str | None = None) -> Provider:
        return Provider(request, app=self.get_app(request, provider, client_id))

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        return False

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Everything that is decided about a person who comes from the provider."""
        if (sociallogin.state.get("data") or {}).get("for") == REAUTHENTICATION:
            self._confirm(request, sociallogin)
        try:
            with transaction.atomic():
                sociallogin.user = arrive(
                    sociallogin.claims, sociallogin.user if sociallogin.is_existing else None
                )
        except NotAdmitted as refusal:
            logger.warning("Somebody of %s was not let in: %s", settings.OIDC_ISSUER, refusal)
            context = {"sentence": str(refusal), "name": settings.OIDC_NAME}
            raise ImmediateHttpResponse(
                render(request, "account/not_admitted.html", context, status=403)
            ) from None

    def on_authentication_error(self, request: HttpRequest, provider: Any, **what: Any) -> None:
        """The cause goes to the log; what foreign errors say might hold a token."""
        error = what.get("exception")
        cause = (
            str(error) if isinstance(error, Refused) else type(error).__name__ if error else "no such state"
        )
        if what.get("error") == AuthError.CANCELLED:
            messages.warning(request, f"You did not sign in with {settings.OIDC_NAME}.")
            raise ImmediateHttpResponse(redirect("account_login"))
        logger.warning("A sign-in through %s failed: %s", settings.OIDC_ISSUER, cause)

    def _confirm(self, request: HttpRequest, sociallogin: SocialLogin) -> NoReturn:
        """The person of this session signed in there once more; anybody else changes nothing."""
        if not sociallogin.is_existing or sociallogin.user != request.user:
            context = {
                "sentence": "You signed in there as somebody else than here.",
                "name": settings.OIDC_NAME,
            }
            raise ImmediateHttpResponse(render(request, "account/not_admitted.html", context, status=403))
        record_authentication(
            request, sociallogin.user, "socialaccount", reauthenticated=True, provider=settings.OIDC_ISSUER
        )
        raise ImmediateHttpResponse(redirect(sociallogin.get_redirect_url(request) or "/"))


def arrive(claims: dict[str, Any], known: User | None) -> User:
    """The person that these claims are about, with what their groups grant. Raises NotAdmitted."""
    granting = role_map.read(settings.OIDC_ROLE_MAP)
    grants = granting.grants(role_map.groups_of(claims, settings.OIDC_GROUPS_CLAIM))
    user = known or _by_address(claims, grants)
    if granting:
        apply(user, grants, granting)
    return user


def apply(user: User, grants: Grants, granting: RoleMap) -> None:
    """Gives and takes what the provider decides about; where something is taken or changed, sessions end."""
    before = _said(user, granting)
    changed = roles.give(user, grants.roles)
    places = {
        place.organization.slug: place
        for place in Membership.objects.select_for_update(of=("self",))
        .filter(user=user, organization__slug__in=granting.organizations)
        .select_related("organization")
    }
    for slug, place in places.items():
        if slug not in grants.places:
            place.delete()
            changed = True
        elif place.role != grants.places[slug]:
            place.role = grants.places[slug]
            place.save(update_fields=["role"])
            changed = True
    missing = grants.places.keys() - places.keys()
    for organization in Organization.objects.filter(slug__in=missing):
        Membership.objects.create(organization=organization, user=user, role=grants.places[organization.slug])
        changed = True
    if changed:
        end_all(user)
        with acting_as_program("single sign-on"):
            record("person.role_changed", user, before=before, after=_said(user, granting))


def _said(user: User, granting: RoleMap) -> dict[str, object]:
    """Roles and places that the provider decides about, as the audit keeps them."""
    places = Membership.objects.filter(user=user, organization__slug__in=granting.organizations)
    named = places.order_by("organization__slug").values_list("organization__slug", "role")
    return {**roles.said(user), "organizations": ", ".join(f"{slug} ({role})" for slug, role in named)}


def _by_address(claims: dict[str, Any], grants: Grants) -> User:
    address = str(claims.get("email") or "").strip().lower()
    if not _is_address(address) or claims.get("email_verified") is not True:
        raise NotAdmitted(f"{settings.OIDC_NAME} does not vouch for your e-mail address.")
    user = User.objects.filter(email=address).first()
    if user is None:
        if not grants:
            raise NotAdmitted("None of your groups opens anything here.")
        name = str(claims.get("name") or claims.get("preferred_username") or "")[:150]
        user, made = User.objects.get_or_create(
            email=address, defaults={"name": name, "password": make_password(None)}
        )
        if made:
            with acting_as_program("single sign-on"):
                record("person.added", user, after={"name": name})
    link, _ = SocialAccount.objects.get_or_create(
        provider=settings.OIDC_ISSUER, uid=claims["sub"], defaults={"user": user}
    )
    others = SocialAccount.objects.filter(provider=settings.OIDC_ISSUER, user=user).exclude(pk=link.pk)
    if link.user_id != user.pk or others.exists():
        # An address may be given to somebody new over there; what the one before had here is not theirs.
        raise NotAdmitted("Your e-mail address belongs to somebody else here.")
    return user


def _is_address(text: str) -> bool:
    try:
        validate_email(text)
    except ValidationError:
        return False
    return len(text) <= 254

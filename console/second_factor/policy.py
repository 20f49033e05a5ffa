"""Who must have a second factor (MFA_REQUIRED_FOR), and the middleware that leads them to set one up."""

from collections.abc import Callable

from allauth.account.internal.flows.login import get_authentication_records
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from console.access import sees_platform
from console.models import User

FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
"""Recovery codes alone are none: they only stand in for one of these."""
CHOICES = ("none", "platform", "everyone")
_OPEN = ("/accounts/", "/sign-in/", "/sign-out/", "/healthz", "/readyz", "/static/")


def has_one(user: User) -> bool:
    return Authenticator.objects.filter(user=user, type__in=FACTORS).exists()


def is_required(user: User) -> bool:
    """True where the settings ask for a second factor of this person."""
    if settings.MFA_REQUIRED_FOR == "everyone":
        return True
    return settings.MFA_REQUIRED_FOR == "platform" and sees_platform(user)


def came_by_single_sign_on(request: HttpRequest) -> bool:
    """Whoever the provider vouches for is subject to the provider's own rules."""
    records = get_authentication_records(request, request.user)  # type: ignore[arg-type]
    return any(record.get("method") == "socialaccount" for record in records)


def demanded(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: who must have a second factor and has none sets it up before anything else."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if settings.MFA_REQUIRED_FOR == "none" or request.path.startswith(_OPEN):
            return get_response(request)
        user = request.user
        if not isinstance(user, User) or not is_required(user):
            return get_response(request)
        if came_by_single_sign_on(request) or has_one(user):
            return get_response(request)
        return HttpResponseRedirect(reverse("mfa_index"))

    return middleware

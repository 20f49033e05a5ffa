"""How allauth signs people in here: by e-mail, and only people who were invited."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.auth_backends import AuthenticationBackend
from django.conf import settings
from django.http import HttpRequest

from console import sessions
from console.models import User
from console.origin import client_address

UNKNOWN_ADDRESS = "0.0.0.0"  # noqa: S104  (nothing listens on it)


class ConsoleAuthenticationBackend(AuthenticationBackend):
    """Passwords, unless single sign-on is the only way in; superusers keep theirs for when the provider is away."""

    def _check_password(self, user: User | None, password: str) -> User | None:
        found: User | None = super()._check_password(user, password)
        return found if found is None or takes_password(found) else None


class ConsoleAccountAdapter(DefaultAccountAdapter):
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Nobody registers by himself: an administrator or an organisation's owner adds people."""
        return False

    def login(self, request: HttpRequest, user: User) -> None:
        super().login(request, user)
        sessions.begin(request)

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """console.reauthentication asks, in its own way, in front of every view of allauth that would."""
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        """Behind a Unix socket there may be none; whoever has no address shares one, and its limits."""
        return client_address(request) or UNKNOWN_ADDRESS


def takes_password(user: User) -> bool:
    """Whether this person may prove who they are by a password at all."""
    return not settings.OIDC_ONLY or user.is_superuser

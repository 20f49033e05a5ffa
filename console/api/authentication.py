"""Who asks: an access key in the Authorization header, or somebody who is signed in, with a CSRF token for changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from ninja.utils import check_csrf

from console.access import Permission, can, sees_platform
from console.access_key import AccessKey
from console.api.pacing import hold_pace
from console.api.problems import Problem, not_found
from console.audit.context import Actor, ActorKind, act_as
from console.models import User
from console.reauthentication import is_confirmed
from metering import keys

WORD = "slipway_access_"
_NOTED_EVERY = timedelta(minutes=1)
_LONGEST = 200
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks, and within what."""

    user: User
    key: AccessKey | None = None
    """None: somebody who is signed in."""

    @property
    def owner(self) -> str:
        """For what is kept of calls."""
        return f"access_key:{self.key.pk}" if self.key else f"person:{self.user.pk}"

    def may(self, permission: Permission) -> bool:
        """What the owner may do now, and the key was made for; looking needs no scope."""
        is_in_scope = self.key is None or permission is Permission.VIEW or permission.value in self.key.scopes
        return is_in_scope and can(self.user, permission)


class Asking(HttpRequest):
    """A request whose principal is known."""

    auth: Principal


def authenticate(request: HttpRequest) -> Principal | None:
    """None: nobody whom the API knows. Raises Problem."""
    header = request.headers.get("Authorization", "")
    if header:
        principal = _by_key(header)
        if principal is not None and principal.key is not None:
            act_as(
                Actor(
                    ActorKind.ACCESS_KEY,
                    f"{principal.user.email} · {principal.key.name}"[:254],
                    principal.key.pk,
                )
            )
            hold_pace(principal.owner)
    else:
        principal = _by_session(request)
    if principal is not None and not sees_platform(principal.user):
        raise not_found()
    return principal


def needs(permission: Permission) -> Callable[[HttpRequest], Principal | None]:
    """Who asks, with that right: looked at before anything of what was sent is read. Raises PermissionDenied, Problem.

    Whoever changes something with the session of a browser proved who they are as recently as the pages want it.
    """

    def authorize(request: HttpRequest) -> Principal | None:
        principal = authenticate(request)
        if principal is not None and not principal.may(permission):
            raise PermissionDenied(f"This needs the right “{permission.value}”, of the owner and of the key.")
        if principal is not None and principal.key is None and request.method not in _SAFE:
            _hold_confirmed(request)
        return principal

    return authorize


def _hold_confirmed(request: HttpRequest) -> None:
    if not is_confirmed(request):
        raise Problem(
            403,
            f"Confirm that it is you at {reverse('account_reauthenticate')}, and send it again. Nothing was changed.",
            word="not-confirmed",
        )


def _by_key(header: str) -> Principal | None:
    scheme, _, text = header.partition(" ")
    text = text.strip()
    if scheme.lower() != "bearer" or len(text) > _LONGEST or not keys.is_whole(text, WORD):
        return None
    now = timezone.now()
    found = AccessKey.objects.live(now).select_related("user").filter(digest=keys.digest(text)).first()
    if found is None:
        return None
    if found.last_used_at is None or found.last_used_at < now - _NOTED_EVERY:
        AccessKey.objects.filter(pk=found.pk).update(last_used_at=now)
    return Principal(found.user, found)


def _by_session(request: HttpRequest) -> Principal | None:
    if not isinstance(request.user, User) or not request.user.is_active:
        return None
    if request.method not in _SAFE and check_csrf(request) is not None:
        raise Problem(403, "The CSRF token is missing or wrong. Programs send an access key instead.")
    return Principal(request.user)

"""Sessions of people: how long they last, which there are, and how they end.

Every session carries a hash that is held against its person at each request, and part of it is the person's epoch.
Raising the epoch therefore ends all sessions at once, wherever they are stored; the rows are cleared for tidiness.
"""

import time
from collections.abc import Callable
from datetime import timedelta
from importlib import import_module

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, logout
from django.contrib.sessions.backends.base import SessionBase
from django.db import transaction
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from console.models import User

_STARTED, _SEEN = "session_started_at", "session_seen_at"
_NOTED_EVERY = 60
"""Seconds; a session that was seen more recently is not written down again."""


def end_all(user: User, keep: SessionBase | None = None) -> None:
    """Signs a person out everywhere, with their next request; `keep` is the one session that goes on.

    For every change of what somebody may do, so that no open page outlives it. Part of the caller's transaction.
    """
    with transaction.atomic():
        User.objects.filter(pk=user.pk).update(session_epoch=F("session_epoch") + 1)
        user.refresh_from_db(fields=["session_epoch"])
        ended = UserSession.objects.filter(user=user)
        if keep is not None:
            ended = ended.exclude(session_key=keep.session_key)
            keep[HASH_SESSION_KEY] = user.get_session_auth_hash()
        for session in ended:
            session.end()


def open_of(user: User) -> QuerySet[UserSession]:
    """The sessions that still count, the latest first."""
    now = timezone.now()
    return UserSession.objects.filter(
        user=user,
        created_at__gt=now - timedelta(seconds=settings.SESSION_MAX_SECONDS),
        last_seen_at__gt=now - timedelta(seconds=settings.SESSION_IDLE_SECONDS),
    ).order_by("-last_seen_at", "-pk")


def sweep() -> None:
    """Removes what is left of sessions that ended by themselves."""
    oldest = timezone.now() - timedelta(seconds=settings.SESSION_MAX_SECONDS)
    UserSession.objects.filter(created_at__lt=oldest).delete()
    import_module(settings.SESSION_ENGINE).SessionStore.clear_expired()


def limits(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: ends a session that was left alone for too long, or that is too old."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated:
            _hold(request, time.time())
        return get_response(request)

    return middleware


def _hold(request: HttpRequest, now: float) -> None:
    session = request.session
    started, seen = session.get(_STARTED, now), session.get(_SEEN, now)
    if now - started > settings.SESSION_MAX_SECONDS or now - seen > settings.SESSION_IDLE_SECONDS:
        UserSession.objects.filter(session_key=session.session_key).delete()
        logout(request)
        return
    # A page that asks for itself again is nobody's activity: an open window must not keep a session alive.
    if "X-Seen" in request.headers:
        return
    if _SEEN not in session or now - seen > _NOTED_EVERY:
        session.setdefault(_STARTED, now)
        session[_SEEN] = now
        UserSession.objects.filter(session_key=session.session_key).update(last_seen_at=timezone.now())


def begin(request: HttpRequest) -> None:
    """A new sign-in is a new session, whatever the browser carried before."""
    request.session[_STARTED] = request.session[_SEEN] = time.time()

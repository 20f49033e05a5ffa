"""Proving again who one is, before what cannot be undone or would hand out a secret.

A sign-in, or a confirmation, of the last ten minutes counts. Nothing that was typed is kept while somebody confirms:
it might be a secret. A form that was opened in time may therefore be sent for another ten minutes.
"""

import time
from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from allauth.account.internal.flows.login import get_authentication_records
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from console.access import View


def is_confirmed(request: HttpRequest) -> bool:
    """True when the person of this session proved who they are recently enough for this request."""
    records = get_authentication_records(request, request.user)  # type: ignore[arg-type]
    if not records:
        return False
    limit = settings.ACCOUNT_REAUTHENTICATION_TIMEOUT * (1 if request.method in ("GET", "HEAD") else 2)
    return bool(time.time() - records[-1]["at"] < limit)


def confirmation(request: HttpRequest, back_to: str = "") -> HttpResponse:
    """Leads to the page that asks, and from there back to `back_to`, or to where the request wanted to go."""
    if request.method not in ("GET", "HEAD"):
        messages.warning(request, "Nothing was changed: it took more than ten minutes. Do it once more.")
    target = back_to or request.get_full_path()
    return HttpResponseRedirect(f"{reverse('account_reauthenticate')}?{urlencode({'next': target})}")


def confirmed(view: View) -> View:
    """A view that asks people to prove who they are, unless they just did. Goes inside `@requires(...)`."""

    @login_required
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return view(request, *args, **kwargs) if is_confirmed(request) else confirmation(request)

    return guarded


def confirmed_post(back_to: Callable[..., str]) -> Callable[[View], View]:
    """The same for views that only take a POST: afterwards people find themselves where the button is."""

    def decorate(view: View) -> View:
        @login_required
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if is_confirmed(request):
                return view(request, *args, **kwargs)
            return confirmation(request, back_to(*args, **kwargs))

        return guarded

    return decorate

"""Where one is signed in, and ending it there."""

from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from console.browsers import browser_of
from console.http import Request, page
from console.reauthentication import confirmed_post
from console.sessions import end_all, open_of

_MOST = 100
_confirmed = confirmed_post(lambda *args, **kwargs: reverse("usersessions_list"))


@require_safe
@login_required
def listed(request: Request) -> HttpResponse:
    """The sessions that still count, the latest first. Who is signed in more often than anybody reads sees the rest
    once these are ended."""
    sessions = list(open_of(request.user)[:_MOST])
    for session in sessions:
        session.browser = browser_of(session.user_agent)
        session.is_this = session.session_key == request.session.session_key
    return page(request, "account/sessions.html", {"sessions": sessions})


@require_POST
@_confirmed
def end(request: Request, number: int) -> HttpResponse:
    session = get_object_or_404(UserSession, user=request.user, pk=number)
    if session.session_key == request.session.session_key:
        messages.warning(request, "That is this session. Sign out to end it.")
    else:
        session.end()
        messages.success(request, f"{browser_of(session.user_agent)} is signed out.")
    return redirect("usersessions_list")


@require_POST
@_confirmed
def end_others(request: Request) -> HttpResponse:
    end_all(request.user, keep=request.session)
    messages.success(request, "You are signed out everywhere else.")
    return redirect("usersessions_list")

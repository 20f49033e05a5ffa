"""Where the link of an invitation leads: an account for somebody new, the sign-in for somebody who has one.

The link's secret goes into the session at once and out of the address, so that nothing on the page can pass it on.
"""

from __future__ import annotations

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from console import visiting
from console.audit import record
from console.models import User
from console.organizations import inviting
from console.organizations.invitation import Invitation
from console.people.forms import JoinForm

_TOKEN = "invitation"  # noqa: S105 - the name of a place in the session
_TEMPLATE = "organizations/join.html"


@never_cache
@require_safe
def follow(request: HttpRequest, token: str) -> HttpResponse:
    request.session[_TOKEN] = token
    return redirect("invitation_join")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def join(request: HttpRequest) -> HttpResponse:
    """GET shows what the link is for; POST makes the member, and first the account where there is none."""
    invitation = inviting.find(request.session.get(_TOKEN, ""))
    if invitation is None:
        return render(request, _TEMPLATE, {"invitation": None}, status=410)
    if isinstance(request.user, User) and request.user.is_active:
        return _as_somebody(request, invitation, request.user)
    known = User.objects.filter(email=invitation.email).first()
    if known is not None and (known.has_usable_password() or known.last_login):
        sign_in = f"{reverse('account_login')}?{urlencode({'next': request.path})}"
        return render(request, _TEMPLATE, {"invitation": invitation, "sign_in": sign_in})
    person = known or User(email=invitation.email)
    form = JoinForm(person, request.POST or None)
    if request.method == "POST" and form.is_valid():
        if _begin(request, invitation, person, form):
            messages.success(request, f"You belong to {invitation.organization}. Sign in with your password.")
            return redirect("account_login")
        return render(request, _TEMPLATE, {"invitation": None}, status=410)
    context = {"invitation": invitation, "form": form}
    return render(request, _TEMPLATE, context, status=422 if form.errors else 200)


def _as_somebody(request: HttpRequest, invitation: Invitation, user: User) -> HttpResponse:
    """Somebody who is signed in, perhaps as somebody else than was invited."""
    if user.email != invitation.email:
        return render(request, _TEMPLATE, {"invitation": invitation, "is_other": True}, status=403)
    if request.method != "POST":
        return render(request, _TEMPLATE, {"invitation": invitation, "may_accept": True})
    del request.session[_TOKEN]
    if not inviting.accept(invitation, user):
        return render(request, _TEMPLATE, {"invitation": None}, status=410)
    visiting.choose(request, invitation.organization)
    messages.success(request, f"You belong to {invitation.organization} now.")
    return redirect("portal_models")


def _begin(request: HttpRequest, invitation: Invitation, person: User, form: JoinForm) -> bool:
    """The account and the membership, or neither."""
    try:
        with transaction.atomic():
            person.name = form.cleaned_data["name"]
            person.set_password(form.cleaned_data["password"])
            person.save()
            record("person.joined", person, organization=invitation.organization)
            if not inviting.accept(invitation, person):
                raise _Over
    except (IntegrityError, _Over):
        return False
    del request.session[_TOKEN]
    return True


class _Over(Exception):
    """Somebody used the link in the same moment."""

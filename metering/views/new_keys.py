"""API keys: made and rotated. A key's text is in one answer only, that of the request that made it.

It is never in a message, a session, a log or an address, and nobody on the way may keep the answer. In the console,
where keys are those of others, administrators prove first who they are.
"""

from __future__ import annotations

from django.contrib import messages
from django.db.models import Q
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache

from console.encryption import Sealed
from console.http import Request, page
from console.models import Membership
from console.reauthentication import confirmation, is_confirmed
from deployments.models import Deployment
from deployments.tenancy import open_to
from metering import issuing
from metering.forms import KeyForm, RotateForm
from metering.models import ApiKey
from metering.views.place import Place

_MOST_PEOPLE = 20
"""On one page; a search finds the others."""


@never_cache
def create(request: Request, place: Place) -> HttpResponse:
    """First for whom, where there is a choice; then the rest."""
    place.require_change(request)
    if not place.is_portal and not is_confirmed(request):
        return confirmation(request)
    membership = _membership(request, place)
    if membership is None:
        return _for_whom(request, place)
    form = KeyForm(membership, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            key, text = issuing.issue(**form.wish(), by=request.user)
        except issuing.Refused as refused:
            form.add_error(refused.field, str(refused))
        except issuing.MadeAlready as made:
            return _cannot_be_shown(request, place, made.key)
        else:
            return _shown_once(request, place, key, text)
    context = {
        "place": place,
        "form": form,
        "membership": membership,
        "has_choice": len(place.memberships(request)[:2]) > 1,
    }
    return page(request, "metering/keys/form.html", context, status=422 if form.errors else 200)


@never_cache
def rotate(request: Request, place: Place, number: int) -> HttpResponse:
    place.require_change(request)
    key = place.key(request, number)
    if not place.is_portal and not is_confirmed(request):
        return confirmation(request)
    form = RotateForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            fresh, text = issuing.rotate(key, overlap=form.length(), by=request.user)
        except issuing.Refused as refused:
            messages.error(request, str(refused))
            return redirect(place.url("detail"), key.pk)
        return _shown_once(request, place, fresh, text)
    context = {"place": place, "key": key, "form": form, "life": issuing.life_of(key)}
    return page(request, "metering/keys/rotate.html", context, status=422 if form.errors else 200)


def _membership(request: Request, place: Place) -> Membership | None:
    """The one that was chosen, or the only one there is. None: it has to be chosen first."""
    mine = place.memberships(request)
    chosen = request.POST.get("membership") or request.GET.get("membership")
    if not chosen:
        few = mine[:2]
        return few[0] if len(few) == 1 else None
    found = mine.filter(pk=chosen).first() if chosen.isdecimal() and len(chosen) < 19 else None
    if found is None:
        raise Http404
    return found


def _for_whom(request: Request, place: Place) -> HttpResponse:
    search = request.GET.get("q", "").strip()[:100]
    found = place.memberships(request)
    if search:
        words = Q(user__name__icontains=search) | Q(user__email__icontains=search)
        found = found.filter(words | Q(organization__name__icontains=search))
    people = list(found[: _MOST_PEOPLE + 1])
    context = {
        "place": place,
        "search": search,
        "people": people[:_MOST_PEOPLE],
        "has_more": len(people) > _MOST_PEOPLE,
    }
    status = 422 if request.method == "POST" else 200
    return page(request, "metering/keys/for_whom.html", context, fragment="people", status=status)


def _shown_once(request: Request, place: Place, key: ApiKey, text: str) -> HttpResponse:
    """The one answer that has the key in it."""
    usable = open_to(key.organization)
    if not key.all_deployments:
        usable = usable.filter(pk__in=key.deployments.values("pk"))
    first: Deployment | None = usable.first()
    context = {
        "place": place,
        "key": key,
        # Sealed, so that whoever prints the context of a page (a traceback, a reporter of errors) prints no key.
        "text": Sealed.of(text),
        "is_own": key.user == request.user,
        "model": first.name if first else "",
    }
    return page(request, "metering/keys/made.html", context)


def _cannot_be_shown(request: Request, place: Place, key: ApiKey) -> HttpResponse:
    messages.warning(
        request, f"{key.name} was made already, and a key is shown once only. Rotate it if it was not copied."
    )
    return redirect(place.url("detail"), key.pk)

"""Pages of access keys, under one's account: made, listed, revoked. Administrators see everybody's, and services."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from console.access import Permission, Role, can, requires
from console.api import issuing
from console.api.access_keys import visible
from console.api.application import described
from console.api.authentication import Principal
from console.api.reference import groups
from console.encryption import Sealed
from console.http import Request, page
from console.models import User
from console.pages import paginate
from console.people import roles
from console.reauthentication import confirmed

_LIVES = (("90", "90 days"), ("30", "30 days"), ("7", "7 days"), ("365", "1 year"))


class KeyForm(forms.Form):
    """A key of one's own, or of a service."""

    use_required_attribute = False
    name = forms.CharField(
        max_length=issuing.LONGEST_NAME, help_text="What it is for, such as “Nightly rollout”."
    )
    days = forms.ChoiceField(choices=_LIVES, label="Expires after")
    scopes = forms.MultipleChoiceField(
        label="What it may do",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Beside looking. It never may more than its owner may at that time.",
    )
    service = forms.CharField(
        label="Service",
        required=False,
        max_length=40,
        help_text="Empty: the key is yours. A name, such as ci, makes it a key of that service.",
    )
    role = forms.ChoiceField(
        label="Role of the service",
        required=False,
        choices=[("", "–"), *((role.value, role.value.capitalize()) for role in Role)],
    )

    def __init__(self, user: User, data: Any = None) -> None:
        super().__init__(data, initial={"days": "90"})
        words = dict(User._meta.permissions)
        mine = [each for each in Permission if each is not Permission.VIEW and can(user, each)]
        self.fields["scopes"].choices = [(each.value, words[each.value]) for each in mine]  # type: ignore[attr-defined]
        if not can(user, Permission.ORGANIZATIONS):
            del self.fields["service"], self.fields["role"]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if cleaned.get("service") and not cleaned.get("role"):
            self.add_error("role", "A service needs a role.")
        return cleaned


@require_safe
@requires(Permission.VIEW)
def listed(request: Request) -> HttpResponse:
    shown = paginate(request, visible(Principal(request.user)).order_by("-created_at", "-id"))
    context = {
        "page": shown,
        "now": timezone.now(),
        "sees_all": can(request.user, Permission.ORGANIZATIONS),
    }
    return page(request, "access_keys/list.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.VIEW)
@confirmed
def create(request: Request) -> HttpResponse:
    form = KeyForm(request.user, request.POST or None)
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        try:
            owner = (
                issuing.service(said["service"], Role(said["role"])) if said.get("service") else request.user
            )
            key, text = issuing.issue(
                owner=owner,
                name=said["name"],
                scopes=[Permission(word) for word in said["scopes"]],
                life=timedelta(days=int(said["days"])),
                by=request.user,
            )
        except roles.LastAdministrator:
            form.add_error("role", "Nobody else administers the platform.")
        except issuing.Refused as refused:
            form.add_error(refused.field if refused.field in form.fields else None, str(refused))
        else:
            return page(request, "access_keys/shown.html", {"key": key, "text": Sealed.of(text)})
    return page(request, "access_keys/new.html", {"form": form}, status=422 if form.errors else 200)


@require_POST
@requires(Permission.VIEW)
def revoke(request: Request, number: int) -> HttpResponse:
    key = get_object_or_404(visible(Principal(request.user)), pk=number)
    issuing.revoke(key)
    messages.success(request, f"{key.name} is revoked. The API does not take it any more.")
    return redirect("access_key_list")


@require_safe
@requires(Permission.VIEW)
def reference(request: Request) -> HttpResponse:
    """Every operation, from the same description that programs read."""
    return page(request, "access_keys/reference.html", {"groups": groups(described())})

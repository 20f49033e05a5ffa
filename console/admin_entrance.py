"""The way into Django's own admin: through our sign-in with its throttle, for staff, who prove again who they are."""

from typing import Any

from allauth.account.utils import get_next_redirect_url
from django.contrib.admin import AdminSite
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from console.reauthentication import confirmation, is_confirmed


def guard(site: AdminSite) -> None:
    """Puts these in place of the site's own sign-in, which knows neither a throttle nor a second factor."""
    site.login = enter  # type: ignore[method-assign,assignment]
    site.has_permission = has_permission  # type: ignore[method-assign]


def has_permission(request: HttpRequest) -> bool:
    return bool(request.user.is_active and request.user.is_staff and is_confirmed(request))


def enter(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
    """Where the site sends people whom it does not let in."""
    target = get_next_redirect_url(request) or reverse("admin:index")
    if not request.user.is_authenticated:
        return redirect_to_login(target)
    if not request.user.is_staff:
        raise PermissionDenied
    return HttpResponseRedirect(target) if is_confirmed(request) else confirmation(request, target)

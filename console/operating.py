"""Django admin, for operators: records as they are, behind the console's own sign-in, roles and doors.

What is looked at needs one right, what is changed another one, both of console.access; nothing is deleted here. Who
changes what people want or pay does so through the same functions as every page, so nothing here gets around them.
"""

from __future__ import annotations

from typing import Any, ClassVar

from allauth.account.utils import get_next_redirect_url
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, URLResolver, reverse
from django.utils.functional import cached_property

from console.access import Permission, can, sees_platform
from console.reauthentication import confirmation, is_confirmed

#: Beyond so many rows a list says "many": to count a ledger would take longer than to show it.
MOST_COUNTED = 10_000


class OperatorSite(admin.AdminSite):
    """The admin of people who run deployments."""

    site_header = site_title = "Slipway records"
    index_title = "Records"
    enable_nav_sidebar = False

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Only what is ours: libraries bring pages of their own tables, which know nothing of our rights."""
        if admin_class is not None and issubclass(admin_class, Records):
            super().register(model_or_iterable, admin_class, **options)

    def has_permission(self, request: HttpRequest) -> bool:
        """Who has the right, and proved a moment ago who they are: whatever is stored can be looked at here."""
        return can(request.user, Permission.DEPLOY) and is_confirmed(request)

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """There is no sign-in of its own: the console's has the throttle, the second factor and the audit."""
        if not request.user.is_authenticated:
            return redirect_to_login(request.GET.get("next") or request.get_full_path(), settings.LOGIN_URL)
        if not sees_platform(request.user):
            raise Http404
        if not can(request.user, Permission.DEPLOY):
            raise PermissionDenied
        target = get_next_redirect_url(request) or reverse("admin:index")
        return redirect(target) if is_confirmed(request) else confirmation(request, target)

    def logout(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:  # type: ignore[override]
        """The console's own page ends the session, and the audit hears of it."""
        return redirect("account_logout")

    def get_urls(self) -> list[URLResolver | URLPattern]:
        """Without the pages of a password: the console has its own."""
        gone = {"password_change", "password_change_done"}
        return [each for each in super().get_urls() if getattr(each, "name", None) not in gone]


class BoundedPaginator(Paginator):
    """Counts no further than a reader would turn pages."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[:MOST_COUNTED].count())


class Records(admin.ModelAdmin):
    """Rows to look at. `looks` is the right that it takes, `changes` the one to mend what can be mended here."""

    looks: ClassVar[Permission] = Permission.VIEW
    changes: ClassVar[Permission | None] = None
    adds: ClassVar[Permission | None] = None
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = BoundedPaginator
    list_per_page = 50

    def get_fields(self, request: HttpRequest, obj: models.Model | None = None) -> Any:
        """Only what is named: nothing that a table gets later shows up by itself."""
        return self.fields or self.readonly_fields

    def has_module_permission(self, request: HttpRequest) -> bool:
        return can(request.user, self.looks)

    def has_view_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return can(request.user, self.looks)

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return self.changes is not None and can(request.user, self.changes)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.adds is not None and can(request.user, self.adds)

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """The audit has it; a second history beside it would only tell less."""

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """As `log_addition`."""

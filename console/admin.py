"""Django admin: people and organisations as records, and the audit. All of them to look at only.

Roles, memberships and suspensions have pages of their own in the console, which end sessions and stop keys.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from console.access import Permission
from console.audit.entry import AuditEntry
from console.models import Membership, Organization, User
from console.operating import Records


class _Members(admin.TabularInline):
    model = Membership
    readonly_fields = ["user", "role", "created_at"]
    extra = 0
    can_delete = False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("user", "organization")


@admin.register(Organization)
class OrganizationAdmin(Records):
    list_display = ["name", "slug", "created_at"]
    search_fields = ["name", "slug"]
    readonly_fields = ["name", "slug", "created_at"]
    inlines = [_Members]


@admin.register(User)
class UserAdmin(Records):
    looks = Permission.ORGANIZATIONS
    list_display = ["email", "name", "is_active", "roles", "last_login"]
    list_filter = ["is_active", "groups"]
    search_fields = ["email", "name"]
    readonly_fields = ["email", "name", "is_active", "roles", "date_joined", "last_login"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).defer("password").prefetch_related("groups")

    @admin.display(description="Platform roles")
    def roles(self, user: User) -> str:
        return ", ".join(group.name for group in user.groups.all())


@admin.register(AuditEntry)
class AuditEntryAdmin(Records):
    looks = Permission.AUDIT
    list_display = ["number", "at", "actor", "action", "object_kind", "object_name", "refused", "address"]
    list_filter = ["refused", "actor_kind"]
    search_fields = ["=action", "=actor", "=object_name", "=request_id"]
    search_help_text = "An action, an actor, the name of an object or a request id, as a whole"
    readonly_fields = [
        *("number", "at", "actor_kind", "actor", "address", "request_id", "action", "refused"),
        *("object_kind", "object_id", "object_name", "organization", "changes", "previous", "digest"),
    ]

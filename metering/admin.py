"""Django admin: API keys without their secret, the ledger, and what GPUs cost. Read-only, but for what is appended."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from console.access import Permission
from console.operating import Records
from metering import issuing
from metering.models import ApiKey, GpuRate, LedgerEntry, UsageHour, UsageReject

_UUID_TIME_BITS = 80
"""Of the 128 bits of a UUID of version 7, those behind the milliseconds."""


_FIGURES = ("input_tokens", "cached_tokens", "output_tokens", "amount", "currency")


@admin.register(ApiKey)
class ApiKeyAdmin(Records):
    changes = Permission.ORGANIZATIONS
    list_display = [
        "name",
        "prefix",
        "user",
        "organization",
        "created_at",
        "expires_at",
        "revoked_at",
        "last_used_at",
    ]
    list_select_related = ["user", "organization"]
    list_filter = [("revoked_at", admin.EmptyFieldListFilter), "organization"]
    search_fields = ["name", "=prefix", "user__email", "organization__slug"]
    readonly_fields = [
        *("name", "description", "prefix", "user", "organization", "all_deployments", "deployments"),
        *("created_at", "created_by", "expires_at", "revoked_at", "revoked_by", "replaces", "last_used_at"),
    ]
    actions = ["revoke"]

    @admin.action(description="Revoke the chosen keys, within a second", permissions=["change"])
    def revoke(self, request: HttpRequest, chosen: QuerySet[ApiKey]) -> None:
        live = list(chosen.filter(revoked_at__isnull=True))
        for key in live:
            issuing.revoke(key, by=request.user)  # type: ignore[arg-type]  # who is here has signed in
        self.message_user(request, f"{len(live)} API keys are revoked.", messages.SUCCESS)


@admin.register(LedgerEntry)
class LedgerEntryAdmin(Records):
    looks = Permission.USAGE
    list_display = ["started_at", "kind", "deployment", "organization_id", "api_key_id", "status", *_FIGURES]
    list_filter = ["kind", "status", "is_estimated"]
    search_fields = ["=id"]
    search_help_text = "The id of a request, as a whole"
    ordering = ["-started_at"]
    readonly_fields = [field.name for field in LedgerEntry._meta.fields]

    def get_search_results(
        self, request: HttpRequest, rows: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """By the id, and the partition that it tells: without it every month would be looked through."""
        if not search_term:
            return rows, False
        return _by_id(rows, search_term), False

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        return _by_id(self.get_queryset(request), object_id).first()


def _by_id(rows: QuerySet[Any], text: str) -> QuerySet[Any]:
    """Ids are UUIDs of version 7: the first 48 bits are the milliseconds at which the request began."""
    try:
        found = uuid.UUID(text.strip())
    except ValueError:
        return rows.none()
    if found.version != 7:  # a correction, whose id tells no time
        return rows.filter(id=found)
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=found.int >> _UUID_TIME_BITS)
    around = timedelta(seconds=1)
    return rows.filter(id=found, started_at__gte=at - around, started_at__lte=at + around)


@admin.register(UsageHour)
class UsageHourAdmin(Records):
    looks = Permission.USAGE
    list_display = ["hour", "deployment", "organization_id", "api_key_id", "status", "requests", *_FIGURES]
    list_filter = ["status", "currency"]
    search_fields = ["=deployment", "=model"]
    ordering = ["-hour"]
    readonly_fields = [field.name for field in UsageHour._meta.fields]


@admin.register(UsageReject)
class UsageRejectAdmin(Records):
    looks = Permission.USAGE
    list_display = ["at", "entry", "reason"]
    search_fields = ["=entry", "reason"]
    readonly_fields = ["at", "entry", "reason"]


@admin.register(GpuRate)
class GpuRateAdmin(Records):
    looks = Permission.USAGE
    list_display = ["cluster", "product", "per_hour", "currency", "effective_from", "created_by"]
    list_select_related = ["cluster", "created_by"]
    list_filter = ["cluster"]
    readonly_fields = [
        *("cluster", "product", "per_hour", "currency", "effective_from", "created_by", "created_at")
    ]

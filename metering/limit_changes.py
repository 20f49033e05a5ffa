"""The one door that changes limits beyond those of the spec: exceptions for an organisation, and the shadow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from django.db import transaction

from console.audit import record
from console.models import Organization
from deployments.models import Deployment
from deployments.vocabulary import LimitScope
from metering.models import LimitMode, LimitOverride


class Amounts(NamedTuple):
    """Per minute. None: no limit of that kind."""

    requests: int | None = None
    tokens: int | None = None


def set_shadow(deployment: Deployment, shadow: bool) -> None:
    """From then on, within a second, on all gateways."""
    with transaction.atomic():
        before = LimitMode.objects.select_for_update().filter(deployment=deployment, shadow=True).exists()
        LimitMode.objects.update_or_create(deployment=deployment, defaults={"shadow": shadow})
        record(
            f"limits.{'shadowed' if shadow else 'enforced'}",
            deployment,
            before={"shadow": before},
            after={"shadow": shadow},
        )


def is_shadow(deployment: Deployment) -> bool:
    """Whether its limits only report."""
    return LimitMode.objects.filter(deployment=deployment, shadow=True).exists()


def exception_of(deployment: Deployment, organization: Organization) -> dict[LimitScope, Amounts]:
    """The scopes in which this organisation has limits of its own."""
    rows = LimitOverride.objects.filter(deployment=deployment, organization=organization)
    return {LimitScope(row.scope): Amounts(row.requests_per_minute, row.tokens_per_minute) for row in rows}


def set_exception(
    deployment: Deployment, organization: Organization, amounts: Mapping[LimitScope, Amounts]
) -> None:
    """These scopes have these limits for this organisation; the others follow the general ones."""
    with transaction.atomic():
        before = _said(exception_of(deployment, organization))
        LimitOverride.objects.filter(deployment=deployment, organization=organization).exclude(
            scope__in=[*amounts]
        ).delete()
        LimitOverride.objects.bulk_create(
            [
                LimitOverride(
                    deployment=deployment,
                    organization=organization,
                    scope=scope,
                    requests_per_minute=each.requests,
                    tokens_per_minute=each.tokens,
                )
                for scope, each in amounts.items()
            ],
            update_conflicts=True,
            unique_fields=["deployment", "organization", "scope"],
            update_fields=["requests_per_minute", "tokens_per_minute"],
        )
        record(
            "limit_exception.set",
            deployment,
            before=before,
            after=_said(amounts),
            organization=organization,
        )


def remove_exception(deployment: Deployment, organization: Organization) -> None:
    with transaction.atomic():
        before = _said(exception_of(deployment, organization))
        if before:
            LimitOverride.objects.filter(deployment=deployment, organization=organization).delete()
            record("limit_exception.removed", deployment, before=before, organization=organization)


def _said(amounts: Mapping[LimitScope, Amounts]) -> dict[str, object]:
    """For the audit: by scope and kind."""
    return {
        f"{scope.value}.{kind}_per_minute": "no limit" if value is None else value
        for scope, each in amounts.items()
        for kind, value in each._asdict().items()
    }

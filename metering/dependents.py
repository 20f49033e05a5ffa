"""Which API keys and how many requests depend on a deployment."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from django.db.models import Q, Sum
from django.utils import timezone

from console.models import Organization
from deployments.models import Deployment
from deployments.vocabulary import Sharing
from metering.models import ApiKey, UsageHour

DAY = timedelta(hours=24)


def sentences(deployment: Deployment, organizations: Collection[Organization] | None) -> list[str]:
    """One sentence with two numbers; two queries. None: all organisations that it is shared with."""
    now = timezone.now()
    keys = (
        ApiKey.objects.live(now)
        .filter(kind=ApiKey.Kind.PROGRAM)
        .filter(Q(all_deployments=True) | Q(deployments=deployment))
    )
    hours = UsageHour.objects.filter(deployment_id=deployment.pk, hour__gte=now - DAY)
    if organizations is not None:
        ids = [organization.pk for organization in organizations]
        keys, hours = keys.filter(organization_id__in=ids), hours.filter(organization_id__in=ids)
    elif deployment.sharing == Sharing.PRIVATE:
        keys = keys.none()
    elif deployment.sharing == Sharing.SELECTED:
        keys = keys.filter(organization__shares__deployment=deployment)
    count = keys.distinct().count()
    requests = hours.aggregate(sum=Sum("requests"))["sum"] or 0
    if not count and not requests:
        return ["No API key can use it, and nobody called it in the last 24 hours."]
    who = "1 API key loses it" if count == 1 else f"{count:,} API keys lose it"
    calls = "1 request" if requests == 1 else f"{requests:,} requests"
    return [f"{who}. It answered {calls} in the last 24 hours."]

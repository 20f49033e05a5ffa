"""Deleting and unsharing state first which API keys lose a deployment, and how much it was used."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from deployments.models import Deployment
from deployments.spec import SharingSpec
from deployments.vocabulary import Sharing
from metering import issuing
from metering.models import UsageHour
from tests.deployments.pages import world

pytestmark = pytest.mark.django_db


@pytest.fixture
def deployment() -> Deployment:
    bob, charlie = world.tenant("bob@acme.example", "acme"), world.tenant("charlie@globex.example", "globex")
    made = world.deployment("chat", sharing=SharingSpec(Sharing.SELECTED, ("acme", "globex")))
    other = world.deployment("other", sharing=SharingSpec(Sharing.ALL))
    for user, chosen in ((bob, None), (bob, [made]), (bob, [other]), (charlie, None)):
        organization = user.organizations.get()
        key, _ = issuing.issue(user=user, organization=organization, name="k", by=user, deployments=chosen)
    issuing.revoke(key, by=charlie)
    for organization, requests in (("acme", 1200), ("globex", 34)):
        used(made, organization, requests, timezone.now() - timedelta(hours=2))
        used(made, organization, 10**6, timezone.now() - timedelta(hours=30))
    return made


def used(deployment: Deployment, organization: str, requests: int, at: Any) -> None:
    UsageHour.objects.create(
        hour=at.replace(minute=0, second=0, microsecond=0),
        deployment_id=deployment.pk,
        deployment=deployment.name,
        model="llama-8b",
        organization_id=world.organization(organization).pk,
        user_id=1,
        api_key_id=1,
        status="completed",
        requests=requests,
        estimated_requests=0,
        input_tokens=0,
        cached_tokens=0,
        output_tokens=0,
        amount=0,
    )


def test_deleting_counts_live_keys_and_the_requests_of_a_day(deployment: Deployment) -> None:
    page = world.signed_in(world.person()).get("/deployments/chat/delete/").content.decode()
    assert "2 API keys lose it. It answered 1,234 requests in the last 24 hours." in page


def test_unsharing_counts_those_of_who_loses_it(deployment: Deployment) -> None:
    number = deployment.current.number  # type: ignore[union-attr]
    answer = world.signed_in(world.person()).post(
        "/deployments/chat/sharing/",
        {"do": "review", "mode": "selected", "organizations": ["globex"], "revision": number},
    )
    page = answer.content.decode()
    assert "2 API keys lose it. It answered 1,200 requests in the last 24 hours." in page


def test_what_nobody_uses_says_so(deployment: Deployment) -> None:
    world.deployment("idle")
    page = world.signed_in(world.person()).get("/deployments/idle/delete/").content.decode()
    assert "No API key can use it, and nobody called it in the last 24 hours." in page

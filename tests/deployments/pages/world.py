"""What the pages' tests stand on: people, one cluster with an endpoint and a model, and deployments in any state."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone

from console.access import Role, sync_roles
from console.models import Membership, Organization, User
from deployments import desired
from deployments.models import CatalogModel, Cluster, Deployment, Endpoint, Observation, Provider, Transition
from deployments.spec import DeploymentSpec, EngineSpec, SharingSpec
from deployments.vocabulary import Engine, Phase, Routing, Sharing


def person(
    email: str = "ada@example.com", role: Role | None = Role.ADMINISTRATOR, name: str = "Ada Berg"
) -> User:
    sync_roles()
    user = User.objects.create_user(email, "a long enough password", name=name)
    if role is not None:
        user.groups.add(Group.objects.get(name=role.value))
    return user


def tenant(email: str, *organizations: str) -> User:
    user = person(email, role=None, name=email.split("@")[0].title())
    for slug in organizations:
        Membership.objects.create(organization=organization(slug), user=user)
    return user


def organization(slug: str) -> Organization:
    return Organization.objects.get_or_create(slug=slug, defaults={"name": slug.title()})[0]


def signed_in(user: User) -> Client:
    """Somebody who signed in just now, so that no page asks them to confirm that it is them."""
    client = Client()
    client.force_login(user)
    confirm(client, user)
    return client


def confirm(client: Client, user: User, at: float | None = None) -> None:
    """Notes in the session when its person proved who they are: now, or at a moment of the clock."""
    session = client.session
    session["session_started_at"] = session["session_seen_at"] = time.time()
    session["account_authentication_methods"] = [{"method": "password", "at": at or time.time()}]
    session["account_authentication_methods_user"] = str(user.pk)
    session.save()


def endpoint(slug: str = "main", cluster: str = "fra-1") -> Endpoint:
    place, _ = Cluster.objects.get_or_create(slug=cluster, defaults={"name": cluster})
    found, _ = Endpoint.objects.get_or_create(
        slug=slug,
        defaults={
            "name": slug,
            "hostname": f"{slug}.example.com",
            "cluster": place,
            "routing": Routing.SERVICE,
        },
    )
    return found


def model(slug: str = "llama-8b") -> CatalogModel:
    provider, _ = Provider.objects.get_or_create(slug="meta", defaults={"name": "Meta"})
    found, _ = CatalogModel.objects.get_or_create(
        slug=slug,
        defaults={
            "name": slug.replace("-", " ").title(),
            "provider": provider,
            "source_reference": f"meta/{slug}",
        },
    )
    return found


def spec(name: str = "chat", **changes: Any) -> DeploymentSpec:
    engine = EngineSpec(Engine.VLLM, "vllm/vllm-openai", "v0.33.0")
    return replace(DeploymentSpec(name=name, model="llama-8b", endpoint="main", engine=engine), **changes)


def deployment(
    name: str = "chat",
    phase: Phase = Phase.SERVING,
    *,
    ready: int = 1,
    wanted: int = 1,
    sentence: str = "",
    remedy: str = "",
    seen: datetime | None = None,
    details: dict[str, Any] | None = None,
    secrets: dict[str, str] | None = None,
    author: User | None = None,
    **changes: Any,
) -> Deployment:
    """A deployment that was just seen in `phase`."""
    wish = spec(name, **changes)
    model(wish.model)
    endpoint(wish.endpoint)
    for slug in wish.sharing.organizations:
        organization(slug)
    made = desired.create(wish, author=author, secrets=secrets)
    if phase is Phase.STOPPED:
        desired.stop(made, author=author)
        made.refresh_from_db()
    see(made, phase, ready=ready, wanted=wanted, sentence=sentence, remedy=remedy, seen=seen, details=details)
    return made


def see(deployment: Deployment, phase: Phase, *, seen: datetime | None = None, **facts: Any) -> None:
    """Writes what the observer would."""
    facts["details"] = facts.get("details") or {}
    Observation.objects.filter(deployment=deployment).update(
        phase=phase, observed_at=seen or timezone.now(), **facts
    )


def move(deployment: Deployment, phase: Phase, at: datetime, **facts: Any) -> None:
    Transition.objects.create(
        deployment=deployment, revision=facts.pop("revision", 1), after=phase, at=at, **facts
    )


def shared(mode: Sharing, *organizations: str) -> SharingSpec:
    return SharingSpec(mode, tuple(sorted(organizations)))


def ago(**span: int) -> datetime:
    return timezone.now() - timedelta(**span)

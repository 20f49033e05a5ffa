"""What every page of one deployment has in common: finding it, its head, its tabs and its actions."""

from datetime import datetime
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef
from django.http import Http404
from django.urls import reverse
from django.utils import timezone

from console.http import Request
from deployments import gpus
from deployments.listing import engine_text
from deployments.models import Deployment, Share
from deployments.standing import Standing, standing_of, with_standing
from deployments.vocabulary import DesiredState

#: What only those see who hold a right; a word of `may` (console.shell).
_NEEDS = {"deployment_usage": "usage"}
TABS = (
    ("Overview", "deployment_detail"),
    ("Configuration", "deployment_configuration"),
    ("Metrics", "deployment_metrics"),
    ("Usage", "deployment_usage"),
    ("Logs", "deployment_logs"),
    ("Revisions", "deployment_revisions"),
    ("Sharing", "deployment_sharing"),
    ("Limits", "deployment_limits"),
    ("YAML", "deployment_yaml"),
)


def find(request: Request, name: str) -> tuple[Deployment, Standing, datetime]:
    """The deployment with its standing now, in one query; a stranger's is a 404."""
    now = timezone.now()
    names = Share.objects.filter(deployment=OuterRef("pk")).order_by("organization__name")
    visible = Deployment.objects.visible_to(request.user).with_everything_to_render()
    found = (
        with_standing(visible, now)
        .select_related("current__author", "created_by")
        .defer(
            "current__secrets", "model__weights_token", "endpoint__tls_key", "endpoint__cluster__kubeconfig"
        )
        .annotate(shared_with=ArraySubquery(names.values("organization__name")))
        .filter(name=name)
        .first()
    )
    if found is None or found.current is None:
        raise Http404(f"no deployment {name}")
    return found, standing_of(found, now), now


def head(deployment: Deployment, standing: Standing, tab: str, now: datetime) -> dict[str, Any]:
    """The context of the head, for templates that extend deployments/frame.html."""
    assert deployment.current is not None
    document: dict[str, Any] = deployment.current.document["spec"]
    gpu = document.get("resources", {}).get("gpu", {})
    return {
        "deployment": deployment,
        "standing": standing,
        "now": now,
        "engine_text": engine_text(document),
        "gpus_text": gpus.count(gpus.taken(document, standing.wanted), gpu.get("product")),
        "can_stop": deployment.desired_state == DesiredState.RUNNING,
        "can_start": deployment.desired_state == DesiredState.STOPPED,
        "going": deployment.desired_state == DesiredState.DELETED,
        "tabs": [
            {
                "label": label,
                "url": reverse(name, args=[deployment.name]),
                "current": name == tab,
                "needs": _NEEDS.get(name, ""),
            }
            for label, name in TABS
        ],
    }

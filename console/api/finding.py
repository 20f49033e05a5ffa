"""What an address names, as far as whoever asks may see it. Raises Http404 otherwise."""

from __future__ import annotations

from django.shortcuts import get_object_or_404

from console.models import User
from deployments.models import Deployment


def find_deployment(user: User, name: str) -> Deployment:
    """With its revision, endpoint and cluster."""
    found = Deployment.objects.visible_to(user).select_related("current", "endpoint__cluster")
    return get_object_or_404(found.defer("endpoint__cluster__kubeconfig"), name=name)

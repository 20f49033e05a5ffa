"""Checks the connection to a cluster and keeps what it learned. Facts of the last success stay when a check fails."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.utils import timezone

from deployments.clusters.access import access_of
from deployments.facts import ClusterFacts
from deployments.kube.errors import KubeError
from deployments.kube.probe import probe
from deployments.models import Cluster

LONGEST_ERROR = 500


def check(cluster: Cluster) -> ClusterFacts | None:
    """Asks the cluster and writes the outcome; None when it failed, `cluster.check_error` then says why.

    Only the columns of the check are written, so that a person's change meanwhile is not undone.
    """
    facts = None
    try:
        facts = probe(access_of(cluster))
        cluster.check_error = ""
    except KubeError as error:
        cluster.check_error = f"{error.sentence} {error.remedy}".strip()[:LONGEST_ERROR]
    cluster.checked_at = timezone.now()
    written: dict[str, Any] = {"checked_at": cluster.checked_at, "check_error": cluster.check_error}
    if facts is not None:
        cluster.facts = replace(facts, checked_at=cluster.checked_at).to_mapping()
        # It answers, so its deployments are worth a look at once, however long the next one was put off.
        cluster.observe_due_at = None
        written |= {"facts": cluster.facts, "observe_due_at": None}
    # An update, because the record may be gone by now, and that is no fault.
    Cluster.objects.filter(pk=cluster.pk).update(**written)
    return facts

"""From the record of a cluster to the way of speaking to it."""

from __future__ import annotations

import os

from console.encryption import UnreadableSecret
from deployments.kube import kubeconfig
from deployments.kube.client import in_cluster_access
from deployments.kube.errors import Unauthorised
from deployments.kube.kubeconfig import ClusterAccess, KubeconfigRefused
from deployments.models import Cluster
from deployments.vocabulary import ClusterKind


def access_of(cluster: Cluster) -> ClusterAccess:
    """How to speak to it. Raises a KubeError, with the sentence for people, when that is not known."""
    if cluster.kind == ClusterKind.IN_CLUSTER:
        return in_cluster_access(os.environ)
    if not cluster.kubeconfig:
        raise Unauthorised("No kubeconfig is stored for this cluster.", remedy="Add one to the cluster.")
    try:
        return kubeconfig.read(cluster.kubeconfig.reveal())
    except UnreadableSecret as error:
        raise Unauthorised(
            "The stored kubeconfig cannot be opened with FIELD_ENCRYPTION_KEYS.",
            remedy="Put the former key back behind the newest one, or upload the kubeconfig again.",
        ) from error
    except KubeconfigRefused as error:
        raise Unauthorised(str(error)) from None

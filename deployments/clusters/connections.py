"""Open connections to clusters, kept by a worker process from one task to the next.

A TLS handshake and the import of the official client cost more than a whole look at a cluster. A connection is used
again only while the stored access is exactly the one that it was made for: a new kubeconfig takes effect at once.
"""

from __future__ import annotations

import threading

from deployments.clusters.access import access_of
from deployments.kube.client import Cluster as Connection
from deployments.kube.client import connect
from deployments.models import Cluster

_open: dict[int, Connection] = {}
_lock = threading.Lock()


def connect_to(cluster: Cluster) -> Connection:
    """A connection to a cluster, new or kept. Raises a KubeError when how to reach it is not known."""
    access = access_of(cluster)
    with _lock:
        kept = _open.get(cluster.pk)
        if kept is not None and kept.access == access:
            return kept
        if kept is not None:
            kept.close()
        made = _open[cluster.pk] = connect(access)
        return made


def close_all() -> None:
    """Closes every kept connection."""
    with _lock:
        for connection in _open.values():
            connection.close()
        _open.clear()

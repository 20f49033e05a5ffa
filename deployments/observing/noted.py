"""What tells that somebody changed an object of ours that is not judged: its version, noted from pass to pass.

Only metadata is listed, one request a kind: the content of secrets never comes near the observer. A change of an
autoscaler's or a route's status is no change here, or every pass would find one.
"""

from __future__ import annotations

import hashlib
import logging
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from deployments import naming
from deployments.context import ClusterOffers
from deployments.kube.client import Cluster as Connection
from deployments.kube.decode import Part
from deployments.kube.errors import Forbidden, KubeError
from deployments.kube.kinds import AUTOSCALER, HTTP_ROUTE, INGRESS, SCALED_OBJECT, SECRET, SERVICE, Kind

logger = logging.getLogger(__name__)

#: Without a generation; nothing but a change of their content gives these a new resourceVersion.
_BY_VERSION = (SERVICE, SECRET)


class Managed(Part, frozen=True):
    manager: str = ""
    operation: str = ""
    subresource: str = ""
    time: str = ""
    fields_v1: msgspec.Raw = msgspec.Raw(b"{}")


class Metadata(Part, frozen=True):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    labels: dict[str, str] | None = None
    managed_fields: tuple[Managed, ...] | None = None


class Noted(Part, frozen=True):
    metadata: Metadata


@dataclass(slots=True)
class Versions:
    """Versions of what one pass saw, by (namespace, deployment label) and "Kind/name"."""

    seen: dict[tuple[str, str], dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    unread: set[str] = field(default_factory=set)
    """Kinds that could not be listed; what was noted of them before still counts."""

    def of(self, key: tuple[str, str], before: Mapping[str, str]) -> dict[str, str]:
        """What to note of one deployment, in the order of the titles."""
        kept = {title: version for title, version in before.items() if title.split("/")[0] in self.unread}
        return dict(sorted((kept | self.seen.get(key, {})).items()))


def versions(connection: Connection, offers: ClusterOffers) -> Versions:
    """Five requests, always, and one more with KEDA. Raises a KubeError when the cluster does not answer."""
    found = Versions()
    for kind in (
        SERVICE,
        SECRET,
        INGRESS,
        HTTP_ROUTE,
        AUTOSCALER,
        *((SCALED_OBJECT,) if offers.keda else ()),
    ):
        try:
            listed = connection.list_metadata(kind, Noted, labels=naming.MANAGED_SELECTOR)
        except KubeError as error:
            if not isinstance(error, Forbidden) and (not kind.optional or error.status is None):
                raise
            logger.warning("%s: %s", kind.plural, error.sentence)
            found.unread.add(kind.name)
            continue
        for each in listed:
            metadata = each.metadata
            key = metadata.namespace, (metadata.labels or {}).get(naming.DEPLOYMENT_LABEL, "")
            found.seen[key][f"{kind.name}/{metadata.name}"] = _version(kind, metadata)
    return found


def differ(before: Mapping[str, str], now: Mapping[str, str]) -> bool:
    """Whether somebody changed, made or removed one of them; False when nothing was noted before."""
    return bool(before) and dict(before) != dict(now)


def _version(kind: Kind, metadata: Metadata) -> str:
    """The uid is part of it: an object that was made anew begins to count anew."""
    if kind in _BY_VERSION:
        return f"{metadata.uid[:8]}.{metadata.resource_version}"
    if metadata.generation:
        return f"{metadata.uid[:8]}.{metadata.generation}"
    digest = hashlib.blake2b(digest_size=8)
    for entry in metadata.managed_fields or ():
        if entry.subresource != "status":
            digest.update(f"{entry.manager} {entry.operation} {entry.subresource} {entry.time}".encode())
            digest.update(bytes(entry.fields_v1))
    return f"{metadata.uid[:8]}.{digest.hexdigest()}"

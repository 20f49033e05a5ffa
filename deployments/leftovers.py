"""What stays behind when a deployment is removed from Slipway because its cluster is gone, by name.

Nobody can ask such a cluster, so this is what the manifests say and what was seen last.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from console.models import User
from deployments import masking, naming
from deployments.kube.kinds import CLAIM, OWNED, POD, Kind, kind_of, owned_kinds
from deployments.manifests import EngineNotOffered, render
from deployments.models import Cluster, Deployment

logger = logging.getLogger(__name__)

#: A restart of a control plane is no farewell.
GONE_AFTER = timedelta(minutes=5)


class StillThere(Exception):
    """The cluster answers, or did a moment ago: its deployments are deleted there."""


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What may be left in the cluster, and how somebody who reaches it removes that."""

    objects: tuple[tuple[str, str], ...]
    """(kind, name) in the order of creation; pods and volumes as they were seen last."""
    command: str


def is_gone(cluster: Cluster, now: datetime) -> bool:
    """Whether it has not answered for so long, or has refused us for so long, that one may give it up."""
    return cluster.unreachable_since is not None and now - cluster.unreachable_since >= GONE_AFTER


def give_up(deployment: Deployment, author: User | None, now: datetime) -> None:
    """Removes the record without asking the cluster. Raises StillThere, with a sentence for people."""
    cluster = deployment.endpoint.cluster
    if not is_gone(cluster, now):
        raise StillThere(f"{cluster.name} answers. Delete {deployment.name} there instead.")
    # The current revision is protected for as long as it is current.
    deployment.current = None
    deployment.save(update_fields=["current"])
    deployment.delete()
    logger.warning("%s: given up by %s with its cluster %s", deployment.name, author, cluster.slug)


def of(deployment: Deployment, details: Mapping[str, Any]) -> Leftovers:
    """For a deployment that came with everything to render; `details` are those of its observation."""
    objects: list[tuple[Kind, str]] = _rendered(deployment)
    objects += [(POD, str(replica["name"])) for replica in details.get("replicas") or ()]
    objects += [(CLAIM, str(volume["name"])) for volume in details.get("volumes") or ()]
    kinds = dict.fromkeys(kind for kind, _ in objects if kind is not POD)
    return Leftovers(tuple((kind.name, name) for kind, name in objects), _command(deployment, list(kinds)))


def _rendered(deployment: Deployment) -> list[tuple[Kind, str]]:
    current = deployment.current
    assert current is not None
    context = masking.context(
        current.spec,
        deployment.model,
        deployment.endpoint,
        source=current.model_source,
        revision=current.number,
    )
    try:
        objects = render(current.spec, context)
    except EngineNotOffered:
        return []
    return [(kind_of(each), str(each["metadata"]["name"])) for each in objects]


def _command(deployment: Deployment, kinds: list[Kind]) -> str:
    """For kubectl, which removes kinds in the order in which they are named: traffic first, data last."""
    offers = deployment.endpoint.cluster.offers
    order = owned_kinds(offers.dynamo_versions, nim_operator=offers.nim_operator, keda=offers.keda)
    # kubectl refuses all of it for one kind that the cluster does not know; Kubernetes' own kinds it always knows.
    wanted = [kind for kind in order if kind in kinds or (kind in OWNED and not kind.optional)]
    # The volumes last, after the pods that use them.
    wanted = [*(kind for kind in reversed(wanted) if kind is not CLAIM), CLAIM]
    names = [f"{kind.plural}.{kind.group}" if kind.group else kind.plural for kind in wanted]
    label = f"{naming.DEPLOYMENT_LABEL}={naming.label_value(deployment.name)}"
    where = f"kubectl --namespace {deployment.endpoint.namespace} delete"
    return " \\\n  ".join([where, ",".join(names), f"--selector {label}"])

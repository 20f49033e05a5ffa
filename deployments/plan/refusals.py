"""What refuses a whole plan: objects of others, and changes that Kubernetes does not allow. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deployments.plan import graphs
from deployments.plan.likeness import is_like
from deployments.plan.values import Object, ObservedObject, Refusal, identity

#: Fields of a StatefulSet that stay as they were made, with the words for them.
_FIXED = {
    "serviceName": "the name of its service",
    "podManagementPolicy": "the order in which its replicas start",
    "selector": "the labels that find its replicas",
}


def refusal_of(desired: Sequence[Object], live: Mapping[tuple[str, str], ObservedObject]) -> Refusal | None:
    """The first reason why nothing may be written; None when there is none. Volumes are judged by growth.py."""
    for object in desired:
        item = live.get(identity(object))
        if item is None:
            continue
        if not item.belongs_to(object):
            return Refusal(
                "foreign-object",
                f"There is a {item.kind} {item.name} in namespace {item.namespace} that Slipway did not make.",
                "Remove or rename it, or deploy under another name.",
            )
        if item.kind == "StatefulSet" and not item.is_going and (refusal := _fixed_field(object, item)):
            return refusal
        if item.kind == graphs.GRAPH and not item.is_going and (refusal := graphs.fixed(object, item)):
            return refusal
    return None


def _fixed_field(object: Object, item: ObservedObject) -> Refusal | None:
    """A change of a StatefulSet that the API would refuse with a list of field names."""
    wanted = object.get("spec") or {}
    for name, words in _FIXED.items():
        if name in wanted and not is_like({name: wanted[name]}, {name: item.spec.get(name)}):
            return Refusal(
                "fixed-field",
                f"{item.name} cannot change {words}: Kubernetes fixes it when the workload is made.",
                "Delete the deployment and create it again.",
            )
    return None

"""spec.restart of a graph: a new id restarts its components, one after the other unless it says Parallel."""

from __future__ import annotations

from typing import Any

from deployments.sandbox.operators import dynamo_pods

Object = dict[str, Any]


def is_settled(deployment: Object) -> bool:
    """Whether a Deployment has done what its spec says; one of no replicas has nothing to do."""
    status, wanted = deployment.get("status") or {}, int(deployment["spec"].get("replicas", 1))
    if wanted == 0:
        return True
    return (
        status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 1)
        and status.get("updatedReplicas", 0) == wanted
        and status.get("replicas", 0) == wanted
        and status.get("availableReplicas", 0) == wanted
    )


def plan(graph: Object, own: dict[str, Object]) -> dict[str, str]:
    """The restart annotation of each component's pods now: the new id where its turn has come, else what is there."""
    present = _present(own)
    identity = ((graph.get("spec") or {}).get("restart") or {}).get("id", "")
    if not identity or _finished(graph, identity):
        return present
    for name in _order(graph):
        present[name] = identity
        if not _is_parallel(graph) and not _has_restarted(name, identity, own):
            break
    return present


def report(graph: Object, own: dict[str, Object], status: dict[str, Any]) -> None:
    """status.restart, in place."""
    identity = ((graph.get("spec") or {}).get("restart") or {}).get("id", "")
    if not identity or _finished(graph, identity):
        return
    left = [name for name in _order(graph) if not _has_restarted(name, identity, own)]
    if not left:
        status["restart"] = {"observedID": identity, "phase": "Completed"}
    else:
        going = left if _is_parallel(graph) else left[:1]
        status["restart"] = {"observedID": identity, "phase": "Restarting", "inProgress": going}


def _finished(graph: Object, identity: str) -> bool:
    done = (graph.get("status") or {}).get("restart") or {}
    return done.get("observedID") == identity and done.get("phase") in ("Completed", "Failed")


def _order(graph: Object) -> list[str]:
    spec = graph.get("spec") or {}
    order = ((spec.get("restart") or {}).get("strategy") or {}).get("order")
    return list(order) if order else sorted(each["name"] for each in spec.get("components") or [])


def _is_parallel(graph: Object) -> bool:
    strategy = ((graph.get("spec") or {}).get("restart") or {}).get("strategy") or {}
    return bool(strategy.get("type") == "Parallel")


def _annotation(deployment: Object) -> str:
    metadata = deployment["spec"]["template"].get("metadata") or {}
    return str((metadata.get("annotations") or {}).get(dynamo_pods.RESTART_ANNOTATION, ""))


def _present(own: dict[str, Object]) -> dict[str, str]:
    """The annotation that each component's pods carry; the newest Deployment of a component decides."""
    newest = sorted(own.values(), key=lambda each: str(each["metadata"]["creationTimestamp"]))
    return {
        each["metadata"]["labels"][dynamo_pods.COMPONENT_LABEL]: mark
        for each in newest
        if (mark := _annotation(each))
    }


def _has_restarted(name: str, identity: str, own: dict[str, Object]) -> bool:
    mine = [each for each in own.values() if each["metadata"]["labels"][dynamo_pods.COMPONENT_LABEL] == name]
    return bool(mine) and all(_annotation(each) == identity and is_settled(each) for each in mine)

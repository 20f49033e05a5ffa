"""Revisions of a StatefulSet's pod template, and the pods and claims that are made from one.

The hash depends on the template alone, so a set that was deleted with its pods left behind and created anew with
the same template recognises those pods as current.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from deployments.sandbox.api.json_tree import clone

if TYPE_CHECKING:
    from deployments.sandbox.store import Object, Store

REVISION_LABEL = "controller-revision-hash"
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


def revision_name(statefulset: Object) -> str:
    """`<set>-<hash of the template>`: the value of the label and of status.updateRevision."""
    return f"{statefulset['metadata']['name']}-{template_hash(statefulset['spec']['template'])}"


def template_hash(template: dict[str, Any]) -> str:
    """Ten characters that are the same for the same template, and safe in names and labels."""
    text = json.dumps(template, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).digest()
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest[:10])


def record_revision(store: Store, statefulset: Object, name: str) -> None:
    """Keep the template as a ControllerRevision, and no more old ones than the set asks for."""
    namespace = statefulset["metadata"]["namespace"]
    if store.get("controllerrevisions", namespace, name) is not None:
        return
    uid = statefulset["metadata"]["uid"]
    own = [
        revision
        for revision in store.list("controllerrevisions", namespace)
        if any(owner["uid"] == uid for owner in revision["metadata"].get("ownerReferences") or [])
    ]
    number = max((revision["revision"] for revision in own), default=0) + 1
    store.create(
        "controllerrevisions",
        namespace,
        {
            "apiVersion": "apps/v1",
            "kind": "ControllerRevision",
            "metadata": {
                "name": name,
                "labels": statefulset["spec"]["template"]["metadata"].get("labels") or {},
                "ownerReferences": [owner_reference(statefulset)],
            },
            "data": {"spec": {"template": statefulset["spec"]["template"]}},
            "revision": number,
        },
    )
    kept = statefulset["spec"].get("revisionHistoryLimit", 10)
    current = (statefulset.get("status") or {}).get("currentRevision")
    old = [revision for revision in own if revision["metadata"]["name"] != current]
    for revision in sorted(old, key=lambda each: each["revision"])[: max(0, len(old) - kept)]:
        store.delete("controllerrevisions", namespace, revision["metadata"]["name"])


def template_of(store: Store, statefulset: Object, name: str) -> dict[str, Any]:
    """The pod template of a named revision; the set's own where the revision is not known any more."""
    revision = store.get("controllerrevisions", statefulset["metadata"]["namespace"], name)
    template = revision["data"]["spec"]["template"] if revision else statefulset["spec"]["template"]
    return dict(template)


def owner_reference(owner: Object) -> dict[str, Any]:
    """What an object says of the one that controls it."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def claim_name(template: dict[str, Any], pod: str) -> str:
    """Name of a pod's claim: `<template>-<pod>`."""
    return f"{template['metadata']['name']}-{pod}"


def make_pod(statefulset: Object, template: dict[str, Any], revision: str, name: str) -> dict[str, Any]:
    """The pod of one ordinal; `name` ends with it."""
    spec = clone(template.get("spec") or {})
    meta = template.get("metadata") or {}
    claims = statefulset["spec"].get("volumeClaimTemplates") or []
    replaced = {claim["metadata"]["name"] for claim in claims}
    volumes = [volume for volume in spec.get("volumes") or [] if volume["name"] not in replaced]
    for claim in claims:
        mounted = {"claimName": claim_name(claim, name)}
        volumes.append({"name": claim["metadata"]["name"], "persistentVolumeClaim": mounted})
    if volumes:
        spec["volumes"] = volumes
    spec["hostname"] = name
    spec["subdomain"] = statefulset["spec"].get("serviceName", "")
    labels = {
        **(meta.get("labels") or {}),
        REVISION_LABEL: revision,
        "statefulset.kubernetes.io/pod-name": name,
        "apps.kubernetes.io/pod-index": name.rsplit("-", 1)[1],
    }
    metadata: dict[str, Any] = {
        "name": name,
        "labels": labels,
        "ownerReferences": [owner_reference(statefulset)],
    }
    if meta.get("annotations"):
        metadata["annotations"] = dict(meta["annotations"])
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def make_claim(statefulset: Object, template: dict[str, Any], pod: str) -> dict[str, Any]:
    """A pod's claim from one of the set's templates; owned by the set where its policy says that it goes with it."""
    meta = template["metadata"]
    labels = {**(meta.get("labels") or {}), **(statefulset["spec"]["selector"].get("matchLabels") or {})}
    metadata: dict[str, Any] = {"name": claim_name(template, pod), "labels": labels}
    if meta.get("annotations"):
        metadata["annotations"] = dict(meta["annotations"])
    policy = statefulset["spec"].get("persistentVolumeClaimRetentionPolicy") or {}
    if policy.get("whenDeleted") == "Delete":
        metadata["ownerReferences"] = [owner_reference(statefulset)]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata,
        "spec": clone(template["spec"]),
    }

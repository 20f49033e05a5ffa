"""Makes deployments/sandbox/api/schemas/*.json out of the published Kubernetes and Gateway API schemas.

Only what the sandbox needs is kept: field names, types, required fields, defaults and the rules for merging lists.
Run as a module with the folder of the Gateway API CRDs as its argument when the Kubernetes version moves.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import yaml

SCHEMAS = Path(__file__).resolve().parents[3] / "deployments" / "sandbox" / "api" / "schemas"
VERSION = "v1.37.0"
_ROOTS = (
    "core.v1.Namespace core.v1.Node core.v1.Pod core.v1.Service core.v1.Endpoints core.v1.Secret core.v1.ConfigMap "
    "core.v1.ServiceAccount core.v1.PersistentVolumeClaim core.v1.PersistentVolume core.v1.Event core.v1.ResourceQuota "
    "events.v1.Event apps.v1.StatefulSet apps.v1.Deployment apps.v1.ReplicaSet apps.v1.ControllerRevision "
    "autoscaling.v2.HorizontalPodAutoscaler autoscaling.v1.Scale networking.v1.Ingress networking.v1.IngressClass "
    "storage.v1.StorageClass "
    "coordination.v1.Lease node.v1.RuntimeClass discovery.v1.EndpointSlice authorization.v1.SelfSubjectAccessReview "
    "authorization.v1.SelfSubjectRulesReview"
).split()
_KEPT = (
    "type format items properties additionalProperties required default enum minimum maximum x-kubernetes-list-type "
    "x-kubernetes-list-map-keys x-kubernetes-map-type x-kubernetes-patch-strategy x-kubernetes-patch-merge-key "
    "x-kubernetes-group-version-kind x-kubernetes-preserve-unknown-fields x-kubernetes-int-or-string"
).split()


def kubernetes() -> dict[str, Any]:
    """Definitions by their full name, reduced."""
    import kubernetes_validate

    source = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema" / f"{VERSION}-local"
    everything = json.loads((source / "_definitions.json").read_text())["$defs"]
    reduced: dict[str, Any] = {}
    waiting = [f"io.k8s.api.{name}" for name in _ROOTS]
    while waiting:
        name = waiting.pop()
        if name in reduced:
            continue
        reduced[name] = _reduce(everything[name], waiting)
    reduced["io.k8s.apimachinery.pkg.api.resource.Quantity"] = {"type": "string", "format": "quantity"}
    reduced["io.k8s.apimachinery.pkg.util.intstr.IntOrString"] = {"type": "string", "format": "int-or-string"}
    return dict(sorted(reduced.items()))


def gateway(folder: Path) -> dict[str, Any]:
    """The v1 schemas of the Gateway API kinds that the sandbox serves, by kind."""
    found: dict[str, Any] = {}
    for plural in ("gatewayclasses", "gateways", "httproutes"):
        crd = yaml.safe_load((folder / f"gateway.networking.k8s.io_{plural}.yaml").read_text())
        served = next(version for version in crd["spec"]["versions"] if version["name"] == "v1")
        found[crd["spec"]["names"]["kind"]] = _reduce(served["schema"]["openAPIV3Schema"], [])
    return found


def _reduce(node: dict[str, Any], waiting: list[str]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for key, value in node.items():
        if key == "$ref":
            name = value.rsplit("/", 1)[-1]
            waiting.append(name)
            kept["$ref"] = f"#/definitions/{name}"
        elif key == "properties":
            kept[key] = {name: _reduce(child, waiting) for name, child in sorted(value.items())}
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            kept[key] = _reduce(value, waiting)
        elif key == "type" and isinstance(value, list):
            kept[key] = next(name for name in value if name != "null")
        elif key in _KEPT:
            kept[key] = [item for item in value if item is not None] if key == "enum" else value
    return kept


def text(schemas: dict[str, Any]) -> str:
    """One definition a line, so that a change can be read."""
    lines = [
        f"{json.dumps(name)}:{json.dumps(schema, separators=(',', ':'))}" for name, schema in schemas.items()
    ]
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    SCHEMAS.mkdir(exist_ok=True)
    (SCHEMAS / "kubernetes.json").write_text(text(kubernetes()))
    (SCHEMAS / "gateway.json").write_text(text(gateway(Path(sys.argv[1]))))

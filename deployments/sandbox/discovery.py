"""What the server says about itself: version, groups, resources, and the objects that stand for served APIs."""

from __future__ import annotations

import platform
from typing import Any

from deployments.sandbox.kinds import KINDS, Kind
from deployments.sandbox.store import Store

_MINOR = "37"


def version() -> dict[str, str]:
    """GET /version. The git version carries `sandbox`, so that nobody takes it for a real cluster."""
    return {
        "major": "1",
        "minor": _MINOR,
        "gitVersion": f"v1.{_MINOR}.0+sandbox",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "2026-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": platform.python_implementation(),
        "platform": f"{platform.system().lower()}/{platform.machine()}",
        "emulationMajor": "1",
        "emulationMinor": _MINOR,
        "minCompatibilityMajor": "1",
        "minCompatibilityMinor": _MINOR,
    }


def core_versions(server: str) -> dict[str, Any]:
    """GET /api."""
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": server}],
    }


def groups() -> dict[str, Any]:
    """GET /apis."""
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [group(name) for name in _group_names()]}


def group(name: str) -> dict[str, Any] | None:
    """GET /apis/GROUP, or None."""
    versions = sorted({kind.version for kind in KINDS if kind.group == name})
    if not name or not versions:
        return None
    listed = [{"groupVersion": f"{name}/{each}", "version": each} for each in versions]
    return {
        "kind": "APIGroup",
        "apiVersion": "v1",
        "name": name,
        "versions": listed,
        "preferredVersion": listed[0],
    }


def resources(group_name: str, version_name: str) -> dict[str, Any] | None:
    """GET /api/v1 or /apis/GROUP/VERSION, or None."""
    found = [kind for kind in KINDS if (kind.group, kind.version) == (group_name, version_name)]
    if not found:
        return None
    listed: list[dict[str, Any]] = []
    for kind in found:
        listed.append(_resource(kind))
        listed.extend(_subresource(kind, name) for name in kind.subresources)
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": found[0].api_version,
        "resources": listed,
    }


def _group_names() -> list[str]:
    return list(dict.fromkeys(kind.group for kind in KINDS if kind.group))


def _resource(kind: Kind) -> dict[str, Any]:
    told: dict[str, Any] = {
        "name": kind.plural,
        "singularName": kind.single,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": list(kind.verbs),
    }
    if kind.short:
        told["shortNames"] = list(kind.short)
    if kind.categories:
        told["categories"] = list(kind.categories)
    return told


def _subresource(kind: Kind, name: str) -> dict[str, Any]:
    told: dict[str, Any] = {
        "name": f"{kind.plural}/{name}",
        "singularName": "",
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": ["get"] if name == "log" else ["get", "patch", "update"],
    }
    if name == "scale":
        told |= {"kind": "Scale", "group": "autoscaling", "version": "v1"}
    elif name == "eviction":
        told |= {"kind": "Eviction", "group": "policy", "version": "v1", "verbs": ["create"]}
    return told


def add_served_apis(store: Store) -> None:
    """Create the CustomResourceDefinitions and APIServices of what is served, where they are missing."""
    for kind in KINDS:
        name = f"{kind.version}.{kind.group}"
        if kind.group and store.get("apiservices", None, name) is None:
            store.create("apiservices", None, _api_service(kind, name))
        if (
            kind.custom
            and store.get("customresourcedefinitions", None, f"{kind.plural}.{kind.group}") is None
        ):
            store.create("customresourcedefinitions", None, _definition(kind))


def _api_service(kind: Kind, name: str) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "group": kind.group,
        "version": kind.version,
        "groupPriorityMinimum": 1000,
        "versionPriority": 15,
    }
    if kind.group == "metrics.k8s.io":
        spec |= {
            "service": {"name": "metrics-server", "namespace": "kube-system", "port": 443},
            "insecureSkipTLSVerify": True,
        }
    condition = {
        "type": "Available",
        "status": "True",
        "reason": "Passed" if "service" in spec else "Local",
        "message": "the sandbox serves this API",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    return {"metadata": {"name": name}, "spec": spec, "status": {"conditions": [condition]}}


def _definition(kind: Kind) -> dict[str, Any]:
    names = {
        "plural": kind.plural,
        "singular": kind.single,
        "kind": kind.kind,
        "listKind": f"{kind.kind}List",
        "shortNames": list(kind.short),
    }
    served = {
        "name": kind.version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
        "subresources": {"status": {}},
    }
    conditions = [
        {"type": name, "status": "True", "reason": "Sandbox", "lastTransitionTime": "2026-01-01T00:00:00Z"}
        for name in ("NamesAccepted", "Established")
    ]
    return {
        "metadata": {
            "name": f"{kind.plural}.{kind.group}",
            "annotations": {"gateway.networking.k8s.io/bundle-version": "v1.6.1"},
        },
        "spec": {
            "group": kind.group,
            "names": names,
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "versions": [served],
        },
        "status": {"acceptedNames": names, "conditions": conditions, "storedVersions": [kind.version]},
    }

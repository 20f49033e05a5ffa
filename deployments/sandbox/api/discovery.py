"""What the server says about itself: version, groups, resources, and the objects that stand for served APIs."""

from __future__ import annotations

import platform
from typing import Any

from deployments.sandbox.api import definition_schema
from deployments.sandbox.api.kinds import KINDS, Kind, is_absent
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


def groups(absent: frozenset[str] = frozenset()) -> dict[str, Any]:
    """GET /apis, without the groups of add-ons that are not there."""
    served = [group(name, absent) for name in _group_names() if name not in absent]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": served}


def group(name: str, absent: frozenset[str] = frozenset()) -> dict[str, Any] | None:
    """GET /apis/GROUP, or None. The preferred version comes first: stable, then beta, then alpha."""
    served = {kind.version for kind in KINDS if kind.group == name and not is_absent(kind, absent)}
    versions = sorted(served, key=lambda version: ("alpha" in version, "beta" in version, version))
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


def add_served_apis(store: Store, absent: frozenset[str] = frozenset()) -> None:
    """Create the CustomResourceDefinitions and APIServices of what is served, and drop those of what is absent."""
    for kind in KINDS:
        name = f"{kind.version}.{kind.group}"
        if is_absent(kind, absent):
            _drop(store, "apiservices", name)
            if kind.group in absent:
                _drop(store, "customresourcedefinitions", f"{kind.plural}.{kind.group}")
            continue
        if kind.group and store.get("apiservices", None, name) is None:
            store.create("apiservices", None, _api_service(kind, name))
        if kind.custom:
            _define(store, kind, absent)


def _define(store: Store, kind: Kind, absent: frozenset[str]) -> None:
    """One definition for all served versions of a kind; a saved one of other versions is replaced."""
    versions = [each for each in KINDS if each.store == kind.store and not is_absent(each, absent)]
    wanted = _definition(kind, versions)
    name = wanted["metadata"]["name"]
    present = store.get("customresourcedefinitions", None, name)
    if present is not None and present["spec"]["versions"] != wanted["spec"]["versions"]:
        _drop(store, "customresourcedefinitions", name)
        present = None
    if present is None:
        store.create("customresourcedefinitions", None, wanted)


def _drop(store: Store, plural: str, name: str) -> None:
    if store.get(plural, None, name) is not None:
        store.delete(plural, None, name)


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


def _definition(kind: Kind, versions: list[Kind]) -> dict[str, Any]:
    names = {
        "plural": kind.plural,
        "singular": kind.single,
        "kind": kind.kind,
        "listKind": f"{kind.kind}List",
        "shortNames": list(kind.short),
    }
    served = [
        {
            "name": each.version,
            "served": True,
            "storage": index == 0,
            "schema": {"openAPIV3Schema": definition_schema.outline(each)},
            "subresources": {"status": {}},
        }
        for index, each in enumerate(versions)
    ]
    conditions = [
        {"type": name, "status": "True", "reason": "Sandbox", "lastTransitionTime": "2026-01-01T00:00:00Z"}
        for name in ("NamesAccepted", "Established")
    ]
    metadata: dict[str, Any] = {"name": f"{kind.plural}.{kind.group}"}
    if kind.group == "gateway.networking.k8s.io":
        metadata["annotations"] = {"gateway.networking.k8s.io/bundle-version": "v1.6.1"}
    return {
        "metadata": metadata,
        "spec": {
            "group": kind.group,
            "names": names,
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "versions": served,
        },
        "status": {"acceptedNames": names, "conditions": conditions, "storedVersions": [versions[0].version]},
    }

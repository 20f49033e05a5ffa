"""Status of what leads to the engines: gateway classes, gateways, HTTP routes, ingresses.

No traffic flows through any of them in the sandbox; they say whether a real controller would accept them and why
not.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from deployments.sandbox.nodes.podstatus import set_condition

if TYPE_CHECKING:
    from deployments.sandbox.store import Object, Store

CONTROLLER = "sandbox.slipway/gateway"
_ADDRESS = "127.0.0.1"


class Routes:
    """The gateway controller and the ingress controller."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def step(self, now: datetime) -> datetime | None:
        """Bring every status up to date; nothing here waits for a time."""
        for gateway_class in self._store.list("gatewayclasses"):
            if gateway_class["spec"].get("controllerName") == CONTROLLER:
                self._write("gatewayclasses", gateway_class, [("Accepted", "", "")], now)
        attached: dict[tuple[str, str, str], int] = {}
        for route in self._store.list("httproutes"):
            self._route(route, attached, now)
        for gateway in self._store.list("gateways"):
            self._gateway(gateway, attached, now)
        for ingress in self._store.list("ingresses"):
            self._ingress(ingress)
        return None

    def _gateway(self, gateway: Object, attached: dict[tuple[str, str, str], int], now: datetime) -> None:
        if self._store.get("gatewayclasses", None, gateway["spec"].get("gatewayClassName", "")) is None:
            return
        meta = gateway["metadata"]

        def write(live: Object) -> None:
            status = live.setdefault("status", {})
            status["addresses"] = [{"type": "IPAddress", "value": _ADDRESS}]
            for kind in ("Accepted", "Programmed"):
                _gateway_condition(status, kind, "", "", now, meta.get("generation", 1))
            before = {each["name"]: each for each in status.get("listeners") or []}
            status["listeners"] = []
            for listener in gateway["spec"].get("listeners") or []:
                fresh = before.get(listener["name"]) or {"name": listener["name"], "conditions": []}
                fresh["supportedKinds"] = [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute"}]
                fresh["attachedRoutes"] = attached.get((meta["namespace"], meta["name"], listener["name"]), 0)
                for kind in ("Accepted", "Programmed", "ResolvedRefs"):
                    _gateway_condition(fresh, kind, "", "", now, meta.get("generation", 1))
                status["listeners"].append(fresh)

        self._store.update_status("gateways", meta["namespace"], meta["name"], write)

    def _route(self, route: Object, attached: dict[tuple[str, str, str], int], now: datetime) -> None:
        meta, spec = route["metadata"], route["spec"]
        results = []
        for parent in spec.get("parentRefs") or []:
            place = (parent.get("namespace", meta["namespace"]), parent["name"])
            gateway = self._store.get("gateways", *place)
            # A parent that nobody serves gets no entry at all, as with a real controller.
            if gateway is not None and parent.get("kind", "Gateway") == "Gateway":
                listeners = _listeners(gateway, parent)
                refusal = _refusal(spec, listeners, gateway, meta["namespace"])
                if not refusal[0]:
                    for listener in _matching(spec, listeners):
                        key = (*place, listener["name"])
                        attached[key] = attached.get(key, 0) + 1
                results.append((parent, refusal))
        missing = self._missing_backend(route)

        def write(live: Object) -> None:
            status = live.setdefault("status", {})
            before = {str(each["parentRef"]): each for each in status.get("parents") or []}
            status["parents"] = []
            for parent, (reason, message) in results:
                entry = before.get(str(parent)) or {
                    "parentRef": parent,
                    "controllerName": CONTROLLER,
                    "conditions": [],
                }
                generation = meta.get("generation", 1)
                _gateway_condition(entry, "Accepted", reason, message, now, generation)
                backend = "BackendNotFound" if missing else ""
                _gateway_condition(entry, "ResolvedRefs", backend, missing, now, generation)
                status["parents"].append(entry)

        self._store.update_status("httproutes", meta["namespace"], meta["name"], write)

    def _missing_backend(self, route: Object) -> str:
        for rule in route["spec"].get("rules") or []:
            for backend in rule.get("backendRefs") or []:
                if backend.get("kind", "Service") != "Service":
                    continue
                namespace = backend.get("namespace", route["metadata"]["namespace"])
                if self._store.get("services", namespace, backend["name"]) is None:
                    return f'service "{namespace}/{backend["name"]}" not found'
        return ""

    def _ingress(self, ingress: Object) -> None:
        meta = ingress["metadata"]
        named = (ingress.get("spec") or {}).get("ingressClassName")
        # Nobody takes up an Ingress of a class that is not there.
        if named and self._store.get("ingressclasses", None, named) is None:
            return
        status = {"loadBalancer": {"ingress": [{"ip": _ADDRESS}]}}
        self._store.update_status(
            "ingresses", meta["namespace"], meta["name"], lambda live: live.update(status=status)
        )

    def _write(self, plural: str, obj: Object, results: list[tuple[str, str, str]], now: datetime) -> None:
        meta = obj["metadata"]

        def write(live: Object) -> None:
            status = live.setdefault("status", {})
            for kind, reason, message in results:
                _gateway_condition(status, kind, reason, message, now, meta.get("generation", 1))

        self._store.update_status(plural, meta.get("namespace"), meta["name"], write)


def _gateway_condition(
    status: dict[str, Any], kind: str, reason: str, message: str, now: datetime, generation: int
) -> None:
    """A condition of the Gateway API: always with a reason, bound to a generation; a reason means that it is false."""
    set_condition(status, kind, not reason, now, reason or kind, message)
    for condition in status["conditions"]:
        if condition["type"] == kind:
            condition.pop("lastProbeTime", None)
            condition.setdefault("message", "")
            condition["observedGeneration"] = generation


def _listeners(gateway: Object, parent: dict[str, Any]) -> list[dict[str, Any]]:
    """The gateway's listeners that a parent reference names."""
    found: list[dict[str, Any]] = gateway["spec"].get("listeners") or []
    if parent.get("sectionName"):
        found = [listener for listener in found if listener["name"] == parent["sectionName"]]
    if parent.get("port"):
        found = [listener for listener in found if listener["port"] == parent["port"]]
    return found


def _refusal(
    spec: dict[str, Any], listeners: list[dict[str, Any]], gateway: Object, namespace: str
) -> tuple[str, str]:
    """(reason, message) why a route may not attach; two empty strings when it may."""
    if not listeners:
        return "NoMatchingParent", "no listener of the gateway matches the parent reference"
    allowed = [listener for listener in listeners if _allows(listener, gateway, namespace)]
    if not allowed:
        return (
            "NotAllowedByListeners",
            f"the gateway's listeners do not allow routes from namespace {namespace}",
        )
    if not _matching(spec, allowed):
        return "NoMatchingListenerHostname", "no host name of the route matches a listener"
    return "", ""


def _allows(listener: dict[str, Any], gateway: Object, namespace: str) -> bool:
    scope = ((listener.get("allowedRoutes") or {}).get("namespaces") or {}).get("from", "Same")
    return bool(scope == "All") or bool(scope == "Same" and namespace == gateway["metadata"]["namespace"])


def _matching(spec: dict[str, Any], listeners: list[dict[str, Any]]) -> list[dict[str, Any]]:
    hosts = spec.get("hostnames") or []
    return [
        listener
        for listener in listeners
        if not hosts
        or not listener.get("hostname")
        or any(_meets(listener["hostname"], host) for host in hosts)
    ]


def _meets(pattern: str, host: str) -> bool:
    """Whether two host names intersect; each may begin with a wildcard label."""
    if pattern == host:
        return True
    for one, other in ((pattern, host), (host, pattern)):
        if one.startswith("*.") and other.endswith(one[1:]) and other != one[2:]:
            return True
    return False

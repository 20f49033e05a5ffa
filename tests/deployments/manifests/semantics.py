"""What the Kubernetes schemas do not catch: names, references between objects, quantities, duplicates.

faults() knows the API server's rules and nothing of how we render, so that it can find our mistakes.
"""

import base64
import binascii
import re
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from deployments import quantity

Manifest = dict[str, Any]

#: A pull secret that the endpoint names, and that is there already.
ELSEWHERE = "mirror"

_DNS_1123 = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_DNS_1035 = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_LABEL_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_VARIABLE = re.compile(r"[A-Za-z_.-][A-Za-z0-9_.-]*")
_DURATION = re.compile(r"([0-9]{1,5}(h|m|s|ms)){1,4}")
_WORKLOADS = ("StatefulSet", "NIMService", "DynamoGraphDeployment")
_SCALERS = ("HorizontalPodAutoscaler", "ScaledObject")
_CREATE_ORDER = ("Secret", "Service", *_WORKLOADS, *_SCALERS, "Ingress", "HTTPRoute")


def faults(objects: list[Manifest]) -> list[str]:
    """Everything that the API server would refuse, or that could not work, in these objects of one deployment."""
    return [
        *_objects(objects),
        *(fault for workload in _of(objects, "StatefulSet") for fault in _workload(workload, objects)),
        *(fault for graph in _of(objects, "DynamoGraphDeployment") for fault in _graph(graph, objects)),
        *(fault for workload in _of(objects, *_WORKLOADS) for fault in _references(workload, objects)),
    ]


def pods(workload: Manifest) -> dict[str, tuple[dict[str, str], Manifest]]:
    """(labels, pod spec) of the pods that a StatefulSet or a graph of either version describes, by component."""
    wanted = workload["spec"]
    if workload["kind"] == "StatefulSet":
        return {"": (wanted["template"]["metadata"]["labels"], wanted["template"]["spec"])}
    found = {}
    for component in wanted.get("components", ()):
        template = component["podTemplate"]
        found[component["name"]] = (template["metadata"]["labels"], template["spec"])
    for name, service in wanted.get("services", {}).items():
        pod = {key: value for key, value in service["extraPodSpec"].items() if key != "mainContainer"}
        main = {"name": "main", **service["extraPodSpec"]["mainContainer"]}
        main["resources"] = _plain_resources(service["resources"])
        found[name] = (service["extraPodMetadata"]["labels"], {**pod, "containers": [main]})
    return found


def _plain_resources(written: Manifest) -> Manifest:
    """v1alpha1 has words of its own for GPUs."""
    limits = {key: value for key, value in written["limits"].items() if key not in ("gpu", "custom")}
    if "gpu" in written["limits"]:
        limits["nvidia.com/gpu"] = written["limits"]["gpu"]
    return {"requests": written["requests"], "limits": {**limits, **written["limits"].get("custom", {})}}


def _of(objects: list[Manifest], *kinds: str) -> list[Manifest]:
    return [found for found in objects if found["kind"] in kinds]


def _objects(objects: list[Manifest]) -> Iterator[str]:
    keys = Counter((o["apiVersion"], o["kind"], o["metadata"]["name"]) for o in objects)
    yield from (f"{key} comes {count} times" for key, count in keys.items() if count > 1)
    order = [_CREATE_ORDER.index(o["kind"]) for o in objects]
    if order != sorted(order):
        yield "the objects are not in the order of creation"
    for made in objects:
        name, about = made["metadata"]["name"], f"{made['kind']} {made['metadata']['name']}"
        pattern = _DNS_1035 if made["kind"] == "Service" else _SUBDOMAIN
        if not pattern.fullmatch(name):
            yield f"{about}: not a legal name"
        if made["kind"] == "Service" and name.startswith(("vllm", "nim", "dynamo")):
            yield f"{about}: its variables would collide with the engine's"
        if made["kind"] == "Secret":
            yield from (
                f"{about}: {key} is not base64"
                for key, value in made["data"].items()
                if not _is_base64(value)
            )
        yield from (f"{about}: {fault}" for fault in _labels(made["metadata"]["labels"]))


def _labels(labels: dict[str, str]) -> Iterator[str]:
    for key, value in labels.items():
        prefix, slash, name = key.rpartition("/")
        if not _LABEL_NAME.fullmatch(name) or (slash and not _SUBDOMAIN.fullmatch(prefix)):
            yield f"{key} is not a label key"
        if not _LABEL_VALUE.fullmatch(value):
            yield f"{key}={value} is not a label value"


def _workload(workload: Manifest, objects: list[Manifest]) -> Iterator[str]:
    name, wanted = workload["metadata"]["name"], workload["spec"]
    template = wanted["template"]
    if len(name) > 52:
        yield f"{name}: too long for the label with its revision hash"
    labels = template["metadata"]["labels"]
    yield from _labels(labels)
    for what, selector in [("the workload", wanted["selector"]["matchLabels"])] + [
        (f"service {s['metadata']['name']}", s["spec"]["selector"]) for s in _of(objects, "Service")
    ]:
        if not selector or not selector.items() <= labels.items():
            yield f"{what} does not select the pods"
    services = {s["metadata"]["name"]: s for s in _of(objects, "Service")}
    headless = services.get(wanted["serviceName"])
    if headless is None or headless["spec"].get("clusterIP") != "None":
        yield "the workload's service is not a headless one"
    for container in template["spec"]["containers"]:
        yield from _container(container, template["spec"], wanted, objects)
        yield from _ports(container, list(services.values()))


def _graph(graph: Manifest, objects: list[Manifest]) -> Iterator[str]:
    name = graph["metadata"]["name"]
    found = pods(graph)
    for component, (labels, pod) in found.items():
        if len(name) + len(component) > 45:
            yield f"{name} and {component} are too long together"
        yield from _labels(labels)
        if labels["slipway/template"] != graph["metadata"]["labels"]["slipway/template"]:
            yield f"{component} is of another template"
        for container in pod["containers"]:
            yield from _container(container, pod, {"volumeClaimTemplates": []}, objects)
    for service in _of(objects, "Service"):
        selected = [
            c for c, (labels, _) in found.items() if service["spec"]["selector"].items() <= labels.items()
        ]
        if selected != ["Frontend"]:
            yield f"service {service['metadata']['name']} leads to {selected}"


def _container(
    container: Manifest, pod: Manifest, wanted: Manifest, objects: list[Manifest]
) -> Iterator[str]:
    names = Counter(variable["name"] for variable in container["env"])
    yield from (f"variable {name} comes {count} times" for name, count in names.items() if count > 1)
    yield from (f"{name} is not a variable name" for name in names if not _VARIABLE.fullmatch(name))
    for variable in container["env"]:
        if ("value" in variable) == ("valueFrom" in variable):
            yield f"variable {variable['name']} needs one of value and valueFrom"
        if not isinstance(variable.get("value", ""), str):
            yield f"variable {variable['name']} is not text"
    yield from (f"argument {a!r} is not text" for a in container.get("args", ()) if not isinstance(a, str))
    volumes = {v["name"] for v in pod.get("volumes", ())} | {
        t["metadata"]["name"] for t in wanted["volumeClaimTemplates"]
    }
    mounts = [mount["name"] for mount in container.get("volumeMounts", ())]
    yield from (f"mount {mount} has no volume" for mount in mounts if mount not in volumes)
    yield from (f"volume {volume} is mounted nowhere" for volume in volumes if volume not in mounts)
    if len({m["mountPath"] for m in container.get("volumeMounts", ())}) < len(mounts):
        yield "two volumes are mounted at one path"
    yield from _amounts(container["resources"])
    secrets = {s["metadata"]["name"]: s["data"] for s in _of(objects, "Secret")}
    for variable in container["env"]:
        reference = variable.get("valueFrom", {}).get("secretKeyRef")
        if reference and reference["name"] in secrets and reference["key"] not in secrets[reference["name"]]:
            yield f"secret {reference['name']} has no {reference['key']}"
    for pull in pod.get("imagePullSecrets", []):
        if pull["name"] not in secrets and pull["name"] != ELSEWHERE:
            yield f"pull secret {pull['name']} does not exist"


def _amounts(resources: Manifest) -> Iterator[str]:
    for part in ("limits", "requests"):
        for what, amount in resources[part].items():
            try:
                value = quantity.parse(amount)
            except ValueError:
                yield f"{part}.{what}: {amount} is not a quantity"
                continue
            if "/" in what and value != int(value):
                yield f"{part}.{what}: {amount} is not whole"
            limit = resources["limits"].get(what)
            if part == "requests" and limit is not None and _parsed(limit) < value:
                yield f"{what}: the limit is below the request"


def _parsed(amount: str) -> Decimal:
    try:
        return quantity.parse(amount)
    except ValueError:
        return Decimal("Infinity")


def _ports(container: Manifest, services: list[Manifest]) -> Iterator[str]:
    ports = {port["name"] for port in container["ports"]}
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        if container[probe]["httpGet"]["port"] not in ports:
            yield f"{probe} asks a port that the container has not"
    for service in services:
        for port in service["spec"]["ports"]:
            if port["targetPort"] not in ports:
                yield f"service {service['metadata']['name']} leads to a port that the container has not"


def _references(workload: Manifest, objects: list[Manifest]) -> Iterator[str]:
    """From the autoscaler to the workload, and from the route to the service and its secret."""
    served = {s["metadata"]["name"]: {p["port"] for p in s["spec"]["ports"]} for s in _of(objects, "Service")}
    if workload["kind"] == "NIMService":
        # Its operator makes the service.
        served[workload["metadata"]["name"]] = {workload["spec"]["expose"]["service"]["port"]}
        taken = [
            o for o in objects if o is not workload and o["metadata"]["name"] == workload["metadata"]["name"]
        ]
        yield from (f"the operator would delete the {found['kind']} of its name" for found in taken)
    for scaler in _of(objects, *_SCALERS):
        target = scaler["spec"]["scaleTargetRef"]
        if (target["kind"], target["name"]) not in _scalable(workload):
            yield "the autoscaler has another target"
        low, high = (
            scaler["spec"].get(f"{end}Replicas", scaler["spec"].get(f"{end}ReplicaCount"))
            for end in ("min", "max")
        )
        if low > high or low < 1:
            yield "the autoscaler's bounds cannot be met"
    for route in _of(objects, "HTTPRoute"):
        # Its schema is not among those of Kubernetes, so that the format is checked here.
        if not all(parent.get("name") for parent in route["spec"]["parentRefs"]):
            yield "the route names no gateway"
        for rule in route["spec"]["rules"]:
            if not all(_DURATION.fullmatch(timeout) for timeout in rule["timeouts"].values()):
                yield "a timeout of the route is no duration"
            if not all(match["path"]["value"].startswith("/") for match in rule["matches"]):
                yield "a path of the route is not absolute"
        for backend in (b for rule in route["spec"]["rules"] for b in rule["backendRefs"]):
            if backend["port"] not in served.get(backend["name"], ()):
                yield "the route leads nowhere"
    for ingress in _of(objects, "Ingress"):
        for path in (p for rule in ingress["spec"]["rules"] for p in rule["http"]["paths"]):
            service = path["backend"]["service"]
            if service["port"]["number"] not in served.get(service["name"], ()):
                yield "the ingress leads nowhere"


def _scalable(workload: Manifest) -> set[tuple[str, str]]:
    """(kind, name) of what an autoscaler may change: the workload, or the adapters that its operator makes."""
    name, wanted = workload["metadata"]["name"], workload["spec"]
    if workload["kind"] != "DynamoGraphDeployment":
        return {(workload["kind"], name)}
    components = [c["name"] for c in wanted.get("components", ()) if "scalingAdapter" in c]
    components += [
        n for n, s in wanted.get("services", {}).items() if s.get("scalingAdapter", {}).get("enabled")
    ]
    return {("DynamoGraphDeploymentScalingAdapter", f"{name}-{c.lower()}") for c in components}


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except binascii.Error:
        return False
    return True

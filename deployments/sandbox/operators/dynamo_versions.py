"""Dynamo's kinds in their two versions: v1alpha1 with a map of services, v1beta1 with a list of components.

Only the fields that this console and its operator use are carried over. Values in, values out.
"""

from __future__ import annotations

from typing import Any

from deployments.sandbox.api.json_tree import clone

Object = dict[str, Any]

MAIN = "main"
_WORKER_KINDS = ("prefill", "decode")
# Fields with the same name and meaning in both versions.
_SAME = ("replicas", "modelRef", "multinode", "eppConfig", "globalDynamoNamespace")
_GPU = "nvidia.com/gpu"
_ENV_FROM = "envFromSecret"


def graph_to_beta(obj: Object) -> Object:
    """A DynamoGraphDeployment as v1beta1 writes it."""
    converted = clone(obj)
    spec = converted.get("spec") or {}
    services = spec.pop("services", None)
    if services is not None:
        spec["components"] = [_component(name, services[name]) for name in sorted(services)]
    if "envs" in spec:
        spec["env"] = spec.pop("envs")
    spec.pop("pvcs", None)
    _rename_status(converted, "services", "components", "updatedServices", "updatedComponents")
    for counts in ((converted.get("status") or {}).get("components") or {}).values():
        counts.pop("componentName", None)
    return converted


def graph_to_alpha(obj: Object) -> Object:
    """A DynamoGraphDeployment as v1alpha1 writes it."""
    converted = clone(obj)
    spec = converted.get("spec") or {}
    components = spec.pop("components", None)
    if components is not None:
        spec["services"] = {component["name"]: _service(component) for component in components}
    if "env" in spec:
        spec["envs"] = spec.pop("env")
    _rename_status(converted, "components", "services", "updatedComponents", "updatedServices")
    for counts in ((converted.get("status") or {}).get("services") or {}).values():
        counts["componentName"] = (counts.get("componentNames") or [""])[-1]
    return converted


def adapter_to_beta(obj: Object) -> Object:
    """A DynamoGraphDeploymentScalingAdapter as v1beta1 writes it."""
    return _rename_target(obj, "serviceName", "componentName")


def adapter_to_alpha(obj: Object) -> Object:
    """A DynamoGraphDeploymentScalingAdapter as v1alpha1 writes it."""
    return _rename_target(obj, "componentName", "serviceName")


def _rename_target(obj: Object, old: str, new: str) -> Object:
    converted = clone(obj)
    target = (converted.get("spec") or {}).get("dgdRef") or {}
    if old in target:
        target[new] = target.pop(old)
    return converted


def _rename_status(obj: Object, part: str, new_part: str, updated: str, new_updated: str) -> None:
    status = obj.get("status") or {}
    if part in status:
        status[new_part] = status.pop(part)
    rolling = status.get("rollingUpdate") or {}
    if updated in rolling:
        rolling[new_updated] = rolling.pop(updated)


def _component(name: str, service: Object) -> Object:
    component: Object = {"name": name}
    kind = service.get("subComponentType") or service.get("componentType")
    if kind:
        component["type"] = kind
    component |= {field: service[field] for field in _SAME if field in service}
    if (service.get("scalingAdapter") or {}).get("enabled"):
        component["scalingAdapter"] = {}
    memory = service.get("sharedMemory")
    if memory is not None:
        component["sharedMemorySize"] = "0" if memory.get("disabled") else memory.get("size", "8Gi")
    template = _template(service)
    if template:
        component["podTemplate"] = template
    return component


def _template(service: Object) -> Object:
    spec = dict(service.get("extraPodSpec") or {})
    main = {"name": MAIN, **(spec.pop("mainContainer", None) or {})}
    if service.get("envs"):
        main["env"] = [*service["envs"], *(main.get("env") or [])]
    if service.get(_ENV_FROM):
        reference = {"secretRef": {"name": service[_ENV_FROM]}}
        main["envFrom"] = [reference, *(main.get("envFrom") or [])]
    if service.get("resources"):
        main["resources"] = _resources(service["resources"], _GPU, "gpu", into_beta=True)
    main |= {field: service[field] for field in ("livenessProbe", "readinessProbe") if field in service}
    for mount in service.get("volumeMounts") or []:
        claim = {"claimName": mount["name"]}
        spec["volumes"] = [
            *(spec.get("volumes") or []),
            {"name": mount["name"], "persistentVolumeClaim": claim},
        ]
        place = {"name": mount["name"], "mountPath": mount.get("mountPoint", "")}
        main["volumeMounts"] = [*(main.get("volumeMounts") or []), place]
    if len(main) > 1:
        spec["containers"] = [main, *(spec.get("containers") or [])]
    template: Object = {}
    given = service.get("extraPodMetadata") or {}
    metadata = {
        field: {**(service.get(field) or {}), **(given.get(field) or {})}
        for field in ("annotations", "labels")
    }
    metadata = {field: values for field, values in metadata.items() if values}
    if metadata:
        template["metadata"] = metadata
    if spec:
        template["spec"] = spec
    return template


def _service(component: Object) -> Object:
    service: Object = {}
    kind = component.get("type")
    if kind in _WORKER_KINDS:
        service |= {"componentType": "worker", "subComponentType": kind}
    elif kind:
        service["componentType"] = kind
    service |= {field: component[field] for field in _SAME if field in component}
    if "scalingAdapter" in component:
        service["scalingAdapter"] = {"enabled": True}
    size = component.get("sharedMemorySize")
    if size is not None:
        service["sharedMemory"] = {"disabled": True} if str(size) == "0" else {"size": size}
    template = component.get("podTemplate") or {}
    metadata = {key: values for key, values in (template.get("metadata") or {}).items() if values}
    if metadata:
        service["extraPodMetadata"] = metadata
    spec = dict(template.get("spec") or {})
    containers = spec.pop("containers", [])
    main = next((dict(each) for each in containers if each.get("name") == MAIN), None)
    others = [each for each in containers if each.get("name") != MAIN]
    if main is not None:
        del main["name"]
        if main.get("resources"):
            service["resources"] = _resources(main.pop("resources"), "gpu", _GPU, into_beta=False)
        if main:
            spec["mainContainer"] = main
    if others:
        spec["containers"] = others
    if spec:
        service["extraPodSpec"] = spec
    return service


def _resources(resources: Object, gpu: str, was: str, *, into_beta: bool) -> Object:
    """Requests and limits with GPUs under the other version's name; what v1alpha1 has no name for is custom."""
    converted: Object = {}
    for part in ("limits", "requests"):
        if part not in resources:
            continue
        amounts: Object = {}
        for name, amount in resources[part].items():
            if name == was:
                amounts[gpu] = amount
            elif name == "custom":
                amounts |= amount
            elif into_beta or name in ("cpu", "memory"):
                if name != "gpuType":
                    amounts[name] = amount
            else:
                amounts.setdefault("custom", {})[name] = amount
        converted[part] = amounts
    return converted

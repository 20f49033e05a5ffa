"""kubectl, the second opinion: the real program against the API and against the whole cluster."""

import json
from typing import Any

import yaml

from tests.deployments.sandbox_api.cluster import Cluster
from tests.deployments.sandbox_api.objects import changed, claim, container, statefulset

GPU_ENGINE = changed(
    statefulset(
        "engine",
        replicas=2,
        podManagementPolicy="Parallel",
        persistentVolumeClaimRetentionPolicy={"whenDeleted": "Delete", "whenScaled": "Retain"},
        volumeClaimTemplates=[claim()],
    ),
    "spec.template.spec",
    {
        "enableServiceLinks": False,
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
        "containers": [
            container(
                command=["vllm", "serve"],
                args=["facebook/opt-125m", "--port", "8000"],
                ports=[{"name": "http", "containerPort": 8000}],
                resources={"limits": {"cpu": "2", "memory": "8Gi", "nvidia.com/gpu": "1"}},
                readinessProbe={"httpGet": {"path": "/health", "port": "http"}, "periodSeconds": 1},
                volumeMounts=[{"name": "data", "mountPath": "/data"}],
            )
        ],
    },
)


def text(*objects: dict[str, Any]) -> str:
    return yaml.safe_dump_all(objects)


def field(cluster: Cluster, namespace: str, target: str, path: str) -> str:
    return cluster.kubectl("-n", namespace, "get", target, "-o", f"jsonpath={{{path}}}")


def test_it_finds_every_resource_by_its_short_name(api: Cluster) -> None:
    found = api.kubectl("api-resources", "--no-headers")
    for line in ("pods", "statefulsets", "httproutes", "storageclasses"):
        assert line in found
    for name in ("no", "ns", "sc", "sts", "svc", "pvc", "hpa", "gtw", "ing", "quota"):
        api.kubectl("get", name)


def test_it_may_do_everything(api: Cluster) -> None:
    assert api.kubectl("auth", "can-i", "create", "statefulsets", "-n", "models") == "yes\n"
    assert "[*]" in api.kubectl("auth", "can-i", "--list")


def test_its_typed_commands_create_secrets_and_namespaces(api: Cluster, namespace: str) -> None:
    api.kubectl("create", "namespace", f"{namespace}-more")
    api.kubectl("-n", namespace, "create", "secret", "generic", "hf", "--from-literal=token=abc")
    assert field(api, namespace, "secret/hf", ".data.token") == "YWJj"
    api.kubectl("-n", namespace, "create", "configmap", "files", "--from-literal=a=1")
    assert field(api, namespace, "configmap/files", ".data.a") == "1"


def test_client_side_apply_creates_changes_and_leaves_alone(api: Cluster, namespace: str) -> None:
    apply = ("-n", namespace, "apply", "-f", "-")
    assert "created" in api.kubectl(*apply, stdin=text(statefulset(replicas=1)))
    assert "unchanged" in api.kubectl(*apply, stdin=text(statefulset(replicas=1)))
    changed_image = changed(
        statefulset(replicas=1), "spec.template.spec.containers.0.image", "vllm/vllm-openai:v0.34.0"
    )
    assert "configured" in api.kubectl(*apply, stdin=text(changed_image))
    assert (
        field(api, namespace, "sts/engine", ".spec.template.spec.containers[*].image")
        == "vllm/vllm-openai:v0.34.0"
    )


def test_it_moves_from_client_side_to_server_side_apply(api: Cluster, namespace: str) -> None:
    api.kubectl("-n", namespace, "apply", "-f", "-", stdin=text(statefulset(replicas=1)))
    serverside = ("-n", namespace, "apply", "--server-side", "-f", "-")
    assert "serverside-applied" in api.kubectl(*serverside, stdin=text(statefulset(replicas=2)))
    api.kubectl("-n", namespace, "scale", "sts/engine", "--replicas=4")
    refused = api.kubectl(*serverside, stdin=text(statefulset(replicas=2)), check=False)
    assert 'conflict with "kubectl" with subresource "scale"' in refused
    assert ".spec.replicas" in refused
    assert "serverside-applied" in api.kubectl(
        *serverside, "--force-conflicts", stdin=text(statefulset(replicas=2))
    )
    assert field(api, namespace, "sts/engine", ".spec.replicas") == "2"


def test_it_refuses_a_misspelt_field(api: Cluster, namespace: str) -> None:
    odd = changed(statefulset(), "spec.template.spec.containers.0.imagee", "x")
    refused = api.kubectl("-n", namespace, "apply", "-f", "-", stdin=text(odd), check=False)
    assert 'unknown field "spec.template.spec.containers[0].imagee"' in refused


def test_a_dry_run_and_a_diff_write_nothing(api: Cluster, namespace: str) -> None:
    api.kubectl("-n", namespace, "apply", "-f", "-", "--dry-run=server", stdin=text(statefulset()))
    assert "No resources found" in api.kubectl("-n", namespace, "get", "sts")
    shown = api.kubectl("-n", namespace, "diff", "-f", "-", stdin=text(statefulset()), check=False)
    assert "+kind: StatefulSet" in shown


def test_labels_patches_and_deletes_work(api: Cluster, namespace: str) -> None:
    in_namespace = ("-n", namespace)
    api.kubectl(*in_namespace, "apply", "-f", "-", stdin=text(statefulset()))
    api.kubectl(*in_namespace, "label", "sts/engine", "team=a")
    api.kubectl(*in_namespace, "patch", "sts", "engine", "-p", '{"spec": {"replicas": 3}}')
    assert field(api, namespace, "sts/engine", ".spec.replicas") == "3"
    assert "engine" in api.kubectl(*in_namespace, "get", "sts", "-l", "team=a")
    assert "No resources found" in api.kubectl(*in_namespace, "get", "sts", "-l", "team=b")
    api.kubectl(*in_namespace, "delete", "sts", "-l", "team=a")
    assert "No resources found" in api.kubectl(*in_namespace, "get", "sts")


def test_it_explains_a_field_from_the_served_schema(api: Cluster) -> None:
    assert "containerPort" in api.kubectl("explain", "sts.spec.template.spec.containers.ports")


def test_a_rollout_comes_up_and_goes_away(living: Cluster, living_namespace: str) -> None:
    in_namespace = ("-n", living_namespace)
    living.kubectl(*in_namespace, "apply", "--server-side", "-f", "-", stdin=text(GPU_ENGINE))
    assert "2 new pods have been updated" in living.kubectl(
        *in_namespace, "rollout", "status", "sts/engine", "--timeout=25s"
    )
    living.kubectl(*in_namespace, "wait", "--for=condition=Ready", "pod/engine-0", "--timeout=5s")
    pods = living.kubectl(*in_namespace, "get", "pods", "-o", "wide")
    header, first, _second = pods.splitlines()
    assert header.split()[:5] == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert first.split()[:4] == ["engine-0", "1/1", "Running", "0"]
    assert "gpu-" in first
    claims = living.kubectl(*in_namespace, "get", "pvc")
    assert "data-engine-1" in claims
    assert "Bound" in claims
    assert "2/2" in living.kubectl(*in_namespace, "get", "sts")
    assert "Started container engine" in living.kubectl(*in_namespace, "describe", "pod", "engine-0")
    assert "Scheduled" in living.kubectl(*in_namespace, "events", "--for", "pod/engine-0")
    assert "Application startup complete" in living.kubectl(*in_namespace, "logs", "engine-0", "--tail=20")
    used = living.kubectl(*in_namespace, "top", "pods")
    assert "engine-1" in used
    living.kubectl(*in_namespace, "delete", "sts/engine", "--wait=false")
    living.kubectl(*in_namespace, "wait", "--for=delete", "pod/engine-0", "pod/engine-1", "--timeout=25s")
    assert "No resources found" in living.kubectl(*in_namespace, "get", "all")


def test_a_refused_pod_is_told_by_an_event(living: Cluster, living_namespace: str) -> None:
    in_namespace = ("-n", living_namespace)
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "team"},
        "spec": {"hard": {"requests.nvidia.com/gpu": "1"}},
    }
    living.kubectl(*in_namespace, "apply", "-f", "-", stdin=text(quota, GPU_ENGINE))
    living.kubectl(
        *in_namespace, "wait", "sts/engine", "--for=jsonpath={.status.readyReplicas}=1", "--timeout=25s"
    )
    told = json.loads(living.kubectl(*in_namespace, "get", "events", "-o", "json"))["items"]
    refusals = [event["message"] for event in told if event["reason"] == "FailedCreate"]
    assert refusals
    assert all("exceeded quota: team" in message for message in refusals)

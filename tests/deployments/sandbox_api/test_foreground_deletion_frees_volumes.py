"""An owner that goes in the foreground waits for a pod, the pod for its volume, and the volume for nobody."""

from __future__ import annotations

from typing import Any

import pytest

from tests.deployments.sandbox_api.cluster import Cluster, eventually


def claim() -> dict[str, Any]:
    wanted = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return {"spec": wanted}


@pytest.mark.parametrize("image", ["nginx:1.29", "nginx:no-such-tag"])
def test_a_deployment_with_ephemeral_volumes_goes(living: Cluster, living_namespace: str, image: str) -> None:
    labels = {"app": "cache"}
    pod = {
        "containers": [{"name": "main", "image": image}],
        "volumes": [{"name": "cache", "ephemeral": {"volumeClaimTemplate": claim()}}],
    }
    wanted = {
        "metadata": {"name": "cache"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }
    at = f"/apis/apps/v1/namespaces/{living_namespace}/deployments"
    assert living.ask("POST", at, wanted)[0] == 201

    def left(plural: str) -> int:
        return len(living.ask("GET", f"/api/v1/namespaces/{living_namespace}/{plural}")[1]["items"])

    eventually(lambda: left("pods") == left("persistentvolumeclaims") == 1)
    options = {"propagationPolicy": "Foreground"}
    assert living.ask("DELETE", f"{at}/cache", options)[0] in (200, 202)
    eventually(lambda: living.ask("GET", f"{at}/cache")[0] == 404)
    assert (left("pods"), left("persistentvolumeclaims")) == (0, 0)

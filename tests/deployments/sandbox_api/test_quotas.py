"""Resource quotas: counted in their status, enforced on what is created."""

import pytest

from deployments.sandbox.api.errors import ApiError
from deployments.sandbox.store import Store
from tests.deployments.sandbox_api.objects import claim, container, pod, store

GPU = "nvidia.com/gpu"


def with_quota(**hard: str) -> Store:
    known = store()
    named = {name.replace("_", "."): amount for name, amount in hard.items()}
    known.create("resourcequotas", "models", {"metadata": {"name": "team"}, "spec": {"hard": named}})
    return known


def gpu_pod(name: str, gpus: str = "1") -> dict[str, object]:
    limits = {GPU: gpus, "cpu": "500m", "memory": "1Gi"}
    return pod(name, containers=[container(resources={"limits": limits})])


def test_a_pod_beyond_the_gpu_quota_is_refused_with_the_arithmetic() -> None:
    known = store()
    hard = {f"requests.{GPU}": "3"}
    known.create("resourcequotas", "models", {"metadata": {"name": "team"}, "spec": {"hard": hard}})
    known.create("pods", "models", gpu_pod("a", "2"))
    with pytest.raises(ApiError) as found:
        known.create("pods", "models", gpu_pod("b", "2"))
    assert found.value.status == 403
    assert (
        "exceeded quota: team, requested: requests.nvidia.com/gpu=2, used: requests.nvidia.com/gpu=2, "
        "limited: requests.nvidia.com/gpu=3" in found.value.message
    )
    known.create("pods", "models", gpu_pod("c", "1"))


def test_the_status_follows_what_is_used() -> None:
    known = with_quota(pods="4", requests_cpu="4", requests_memory="8Gi")
    known.create("pods", "models", gpu_pod("a"))
    quota = known.get("resourcequotas", "models", "team")
    assert quota is not None
    assert quota["status"]["used"] == {"pods": "1", "requests.cpu": "500m", "requests.memory": "1Gi"}
    known.delete("pods", "models", "a")
    quota = known.get("resourcequotas", "models", "team")
    assert quota is not None
    assert quota["status"]["used"] == {"pods": "0", "requests.cpu": "0", "requests.memory": "0"}


def test_a_pod_that_says_nothing_of_a_limited_resource_is_refused() -> None:
    with pytest.raises(ApiError) as found:
        with_quota(requests_cpu="4").create("pods", "models", pod())
    assert "must specify requests.cpu for: engine" in found.value.message


def test_finished_pods_do_not_count() -> None:
    known = with_quota(pods="1")
    known.create("pods", "models", pod("a"))
    known.update_status("pods", "models", "a", lambda live: live["status"].update(phase="Failed"))
    known.create("pods", "models", pod("b"))


def test_storage_is_counted_too() -> None:
    known = with_quota(requests_storage="15Gi")
    known.create("persistentvolumeclaims", "models", claim("a"))
    with pytest.raises(ApiError) as found:
        known.create("persistentvolumeclaims", "models", claim("b"))
    assert "exceeded quota" in found.value.message

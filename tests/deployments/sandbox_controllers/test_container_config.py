"""Variables, Secrets and service links: what a container is started with, and when it cannot be."""

import pytest

from deployments.sandbox.nodes.environment import expand
from tests.deployments.sandbox_controllers.cluster import NAMESPACE, Cluster


def _from_secret(**more: object) -> list[dict]:
    return [{"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "hf", "key": "token", **more}}}]


def test_a_missing_secret_is_a_config_error_until_it_is_there(cluster: Cluster) -> None:
    cluster.add(env=_from_secret())
    cluster.advance(10)
    assert cluster.waiting() == ("CreateContainerConfigError", 'secret "hf" not found')
    assert 'Error: secret "hf" not found' in cluster.events("md-a-0", "Failed")
    cluster.secret("hf", token="x")
    cluster.advance(60)
    assert cluster.ready()


def test_a_missing_key_is_told_with_its_secret(cluster: Cluster) -> None:
    cluster.secret("hf", other="x")
    cluster.add(env=_from_secret())
    cluster.advance(10)
    assert cluster.waiting() == ("CreateContainerConfigError", "couldn't find key token in Secret models/hf")


def test_an_optional_secret_may_be_missing(cluster: Cluster) -> None:
    cluster.add(env=_from_secret(optional=True))
    cluster.advance(60)
    assert cluster.ready()


def test_a_missing_secret_volume_keeps_the_container_creating(cluster: Cluster) -> None:
    cluster.add(
        pod={"volumes": [{"name": "shm", "emptyDir": {}}, {"name": "ca", "secret": {"secretName": "ca"}}]}
    )
    cluster.advance(20)
    assert cluster.waiting()[0] == "ContainerCreating"
    assert cluster.events("md-a-0", "FailedMount") == [
        'MountVolume.SetUp failed for volume "ca" : secret "ca" not found'
    ]


def test_an_image_that_runs_as_root_meets_run_as_non_root(cluster: Cluster) -> None:
    cluster.add(pod={"securityContext": {"runAsNonRoot": True}})
    cluster.advance(10)
    assert cluster.waiting()[1] == "container has runAsNonRoot and image will run as root"


@pytest.mark.parametrize("links", [True, False])
def test_a_service_called_vllm_breaks_engines_that_take_service_links(cluster: Cluster, links: bool) -> None:
    service = {"metadata": {"name": "vllm"}, "spec": {"ports": [{"port": 8000}], "clusterIP": "10.96.0.20"}}
    cluster.store.create("services", NAMESPACE, service)
    cluster.add(pod={"enableServiceLinks": links})
    cluster.advance(60)
    assert cluster.ready() is not links
    assert ("VLLM_PORT 'tcp://10.96.0.20:8000' appears to be a URI" in cluster.log()) is links


def test_a_variable_that_is_set_wins_over_a_service_link(cluster: Cluster) -> None:
    service = {"metadata": {"name": "vllm"}, "spec": {"ports": [{"port": 8000}], "clusterIP": "10.96.0.20"}}
    cluster.store.create("services", NAMESPACE, service)
    cluster.add(pod={"enableServiceLinks": True}, env=[{"name": "VLLM_PORT", "value": "5555"}])
    cluster.advance(60)
    assert cluster.ready()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("$(A)-b", "1-b"),
        ("$$(A)", "$(A)"),
        ("$(UNKNOWN)", "$(UNKNOWN)"),
        ("a$b", "a$b"),
        ("$$$(A)", "$1"),
    ],
)
def test_references_are_expanded_as_kubernetes_does(text: str, shown: str) -> None:
    assert expand(text, {"A": "1"}) == shown

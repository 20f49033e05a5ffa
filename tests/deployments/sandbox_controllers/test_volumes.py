"""Claims: bound on first use, grown where their class allows it, refused where there is no class."""

from deployments.sandbox.seeds import DEFAULT_STORAGE_CLASS, FIXED_STORAGE_CLASS
from tests.deployments.sandbox_controllers.cluster import NAMESPACE, Cluster


def _resize(cluster: Cluster, size: str) -> None:
    def grow(live: dict) -> None:
        live["spec"]["resources"]["requests"]["storage"] = size

    cluster.store.update("persistentvolumeclaims", NAMESPACE, "data-md-a-0", grow)
    cluster.advance(1)


def test_a_claim_waits_for_its_first_consumer(cluster: Cluster) -> None:
    cluster.add(gpus=16)
    cluster.advance(5)
    assert cluster.claim()["status"]["phase"] == "Pending"
    assert "WaitForFirstConsumer" in cluster.reasons("data-md-a-0")


def test_a_scheduled_pod_gets_a_volume_of_the_default_class(cluster: Cluster) -> None:
    cluster.add()
    cluster.advance(1)
    claim = cluster.claim()
    assert claim["status"]["phase"] == "Bound"
    assert claim["status"]["capacity"] == {"storage": "100Gi"}
    assert claim["spec"]["storageClassName"] == DEFAULT_STORAGE_CLASS
    volume = cluster.store.get("persistentvolumes", None, claim["spec"]["volumeName"])
    assert volume is not None
    assert volume["spec"]["claimRef"]["name"] == "data-md-a-0"
    assert volume["status"]["phase"] == "Bound"


def test_a_class_that_does_not_exist_leaves_claim_and_pod_pending(cluster: Cluster) -> None:
    cluster.add(storage_class="gold")
    cluster.advance(5)
    assert cluster.claim()["status"]["phase"] == "Pending"
    assert cluster.events("data-md-a-0", "ProvisioningFailed") == [
        'storageclass.storage.k8s.io "gold" not found'
    ]
    message = cluster.condition("PodScheduled")["message"]
    assert message.startswith("0/4 nodes are available: pod has unbound immediate PersistentVolumeClaims. ")


def test_the_class_may_come_later(cluster: Cluster) -> None:
    cluster.add(storage_class="gold")
    cluster.advance(5)
    cluster.store.create(
        "storageclasses", None, {"metadata": {"name": "gold"}, "provisioner": "csi.example.com"}
    )
    cluster.advance(60)
    assert cluster.ready()


def test_a_claim_grows_where_its_class_allows_it(cluster: Cluster) -> None:
    cluster.add()
    cluster.advance(60)
    _resize(cluster, "200Gi")
    claim = cluster.claim()
    assert claim["status"]["capacity"] == {"storage": "200Gi"}
    volume = cluster.store.get("persistentvolumes", None, claim["spec"]["volumeName"])
    assert volume is not None
    assert volume["spec"]["capacity"] == {"storage": "200Gi"}


def test_an_immediate_class_binds_without_a_pod(cluster: Cluster) -> None:
    cluster.add(storage_class=FIXED_STORAGE_CLASS, gpus=16)
    cluster.advance(1)
    assert cluster.claim()["status"]["phase"] == "Bound"

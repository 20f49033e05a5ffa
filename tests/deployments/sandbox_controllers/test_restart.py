"""The sandbox process may end and come back: running pods go on, waiting ones try again."""

from deployments.sandbox.controllers import Controllers
from deployments.sandbox.engines.engine_host import NoEngines
from deployments.sandbox.settings import Settings
from tests.deployments.sandbox_controllers.cluster import Cluster


def _restart(cluster: Cluster) -> None:
    cluster.engines = NoEngines()
    cluster.controllers = Controllers(cluster.store, Settings(), lambda: cluster.now, cluster.engines)


def test_a_ready_pod_serves_again_without_a_restart_of_its_container(cluster: Cluster) -> None:
    cluster.add()
    cluster.advance(60)
    uid = cluster.pod()["metadata"]["uid"]
    lines = cluster.log().count("Application startup complete.")
    _restart(cluster)
    cluster.advance(15)
    assert cluster.ready()
    assert len(cluster.engines.open_engines) == 1
    assert cluster.container()["restartCount"] == 0
    assert cluster.pod()["metadata"]["uid"] == uid
    assert cluster.log().count("Application startup complete.") == lines == 1


def test_a_pod_that_was_loading_becomes_ready(cluster: Cluster) -> None:
    cluster.add()
    cluster.advance(9)
    _restart(cluster)
    cluster.advance(60)
    assert cluster.ready()


def test_a_broken_pod_is_still_broken_and_heals_by_an_edit(cluster: Cluster) -> None:
    cluster.add(image="vllm/vllm-openai:v9")
    cluster.advance(30)
    _restart(cluster)
    cluster.advance(10)
    assert cluster.waiting()[0] == "ImagePullBackOff"
    cluster.edit()
    cluster.advance(60)
    assert cluster.ready()

"""From a StatefulSet to a ready pod: every stop on the way, in order."""

from tests.deployments.sandbox_controllers.cluster import NAMESPACE, Cluster


def test_a_pod_is_scheduled_pulled_loaded_and_becomes_ready(cluster: Cluster) -> None:
    cluster.add()
    cluster.advance(1)
    assert cluster.pod()["spec"]["nodeName"].startswith("gpu-")
    assert cluster.waiting() == ("ContainerCreating", "")
    assert not cluster.ready()
    cluster.advance(60)
    assert cluster.ready()
    assert cluster.container()["restartCount"] == 0
    assert cluster.pod()["status"]["phase"] == "Running"
    assert cluster.pod()["metadata"]["annotations"]["sandbox.slipway/engine"].startswith("http://127.0.0.1:")
    order = ["Scheduled", "Pulling", "Pulled", "Created", "Started"]
    assert [reason for reason in cluster.reasons() if reason in order] == order


def test_the_log_tells_the_start_in_the_engine_s_order(cluster: Cluster) -> None:
    cluster.add()
    cluster.advance(60)
    log = cluster.log()
    milestones = [
        "non-default args",
        "Resolved architecture: OPTForCausalLM",
        "Initializing a V1 LLM engine (v0.33.0)",
        "Starting to load model facebook/opt-125m",
        "Loading weights took",
        "GPU KV cache size",
        "Starting vLLM server on http://0.0.0.0:8000",
        "Application startup complete.",
    ]
    places = [log.find(milestone) for milestone in milestones]
    assert -1 not in places
    assert places == sorted(places)


def test_the_second_pod_on_a_node_does_not_pull_again(cluster: Cluster) -> None:
    cluster.add(pod={"nodeSelector": {"kubernetes.io/hostname": "gpu-h100-1"}})
    cluster.advance(60)
    cluster.add(name="md-b", pod={"nodeSelector": {"kubernetes.io/hostname": "gpu-h100-1"}})
    cluster.advance(10)
    assert "Pulling" not in cluster.reasons("md-b-0")
    assert "already present on machine" in cluster.events("md-b-0", "Pulled")[0]


def test_the_pulled_event_names_duration_and_size(cluster: Cluster) -> None:
    cluster.add()
    cluster.advance(60)
    (message,) = cluster.events("md-a-0", "Pulled")
    assert "Image size: 11811160064 bytes." in message
    assert " in 5.9s (" in message


def test_a_restart_finds_the_weights_on_the_volume(cluster: Cluster) -> None:
    cluster.add(model="Qwen/Qwen3-8B")
    cluster.advance(120)
    assert "Time spent downloading weights" in cluster.log()
    cluster.store.delete("pods", NAMESPACE, "md-a-0")
    cluster.advance(120)
    assert cluster.ready()
    assert "Time spent downloading weights" not in cluster.log()


def test_speed_shortens_everything_alike() -> None:
    from deployments.sandbox.settings import Settings

    cluster = Cluster(Settings(speed=20))
    cluster.add()
    cluster.advance(3)
    assert cluster.ready()


def test_a_pod_without_a_startup_probe_is_ready_by_its_readiness_probe(cluster: Cluster) -> None:
    cluster.add(container={"startupProbe": None})
    cluster.advance(4)
    assert not cluster.ready()
    cluster.advance(60)
    assert cluster.ready()


def test_a_probe_on_the_wrong_port_never_succeeds(cluster: Cluster) -> None:
    cluster.add(arguments=("--port", "9000"), budget=(5, 8))
    cluster.advance(70)
    assert not cluster.ready()
    assert any(
        "127.0.0.1:8000: connect: connection refused" in text
        for text in cluster.events("md-a-0", "Unhealthy")
    )


def test_an_idle_cluster_has_nothing_due(cluster: Cluster) -> None:
    assert cluster.controllers.due is None


def test_a_ready_pod_leaves_only_the_sampling_of_its_usage(cluster: Cluster) -> None:
    cluster.add()
    cluster.advance(100)
    revision = cluster.store.revision
    cluster.advance(600)
    assert cluster.store.revision == revision
    assert cluster.controllers.due is not None
    assert (cluster.controllers.due - cluster.now).total_seconds() <= 15

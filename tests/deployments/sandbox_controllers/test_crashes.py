"""Engines that do not come up, or do not stay: what the log says, how the container ends, what the pod shows."""

import pytest

from tests.deployments.sandbox_controllers.cluster import Cluster


@pytest.mark.parametrize(
    ("changes", "code", "sentence"),
    [
        ({"model": "meta-llama/Llama-3.1-8B-Instruct"}, 1, "Cannot access gated repo"),
        ({"model": "acme/gated-7b"}, 1, "401 Client Error"),
        ({"model": "acme/does-not-exist"}, 1, "Repository Not Found"),
        ({"arguments": ("--no-such-option", "1")}, 2, "unrecognized arguments: --no-such-option 1"),
        ({"arguments": ("--max-num-seqs", "many")}, 2, "argument --max-num-seqs: invalid int value"),
        ({"arguments": ("--gpu-memory-utilization", "nan")}, 2, "invalid float value"),
        ({"arguments": ("--max-model-len", "0")}, 2, "argument --max-model-len"),
        ({"arguments": ("--dtype",)}, 2, "expected one argument"),
        ({"arguments": ("--max-model-len", "99999")}, 1, "greater than the derived max_model_len"),
        ({"arguments": ("--tensor-parallel-size", "2")}, 1, "larger than the number of available GPUs (1)"),
        ({"gpus": 8, "arguments": ("-tp", "8")}, 1, "(12) must be divisible by tensor parallel size (8)"),
        (
            {"model": "Qwen/Qwen2.5-72B-Instruct", "memory": "400Gi", "storage": "400Gi"},
            1,
            "CUDA out of memory",
        ),
        (
            {
                "model": "Qwen/Qwen2.5-32B-Instruct",
                "memory": "200Gi",
                "arguments": ("--max-model-len", "32768", "--gpu-memory-utilization", "0.85"),
            },
            1,
            "KV cache is needed, which is larger than the available",
        ),
        (
            {"model": "Qwen/Qwen2.5-7B", "arguments": ("--gpu-memory-utilization", "0.19")},
            1,
            "No available memory for the cache blocks",
        ),
        ({"gpus": 0}, 1, "Failed to infer device type"),
        ({"model": "Qwen/Qwen2.5-7B", "storage": "10Gi"}, 1, "No space left on device"),
        (
            {"env": [{"name": "VLLM_ENGINE_READY_TIMEOUT_S", "value": "3"}]},
            1,
            "Timed out waiting for engine core",
        ),
    ],
)
def test_a_wrong_start_ends_in_a_crash_loop(
    cluster: Cluster, changes: dict, code: int, sentence: str
) -> None:
    cluster.add(**changes)
    cluster.until(lambda: cluster.waiting()[0] == "CrashLoopBackOff")
    assert sentence in cluster.log()
    end = cluster.last_end()
    assert (end["exitCode"], end["reason"]) == (code, "Error")
    # The last words are cut at 2,048 bytes, so only the end of the log is sure to be in them.
    assert cluster.log().splitlines()[-1] in end["message"]
    assert cluster.container()["restartCount"] == 1
    assert not cluster.ready()


def test_a_token_opens_a_gated_model(cluster: Cluster) -> None:
    cluster.secret("hf", token="hf_x")
    reference = {"secretKeyRef": {"name": "hf", "key": "token"}}
    cluster.add(
        model="meta-llama/Llama-3.1-8B-Instruct",
        arguments=("--max-model-len", "8192"),
        env=[{"name": "HF_TOKEN", "valueFrom": reference}],
    )
    cluster.advance(120)
    assert cluster.ready()


def test_an_empty_token_does_not(cluster: Cluster) -> None:
    cluster.add(model="acme/gated-7b", env=[{"name": "HF_TOKEN", "value": "  "}])
    cluster.advance(60)
    assert not cluster.ready()
    assert "gated repo" in cluster.log()


def test_tensor_parallelism_makes_a_large_model_fit(cluster: Cluster) -> None:
    cluster.add(
        model="Qwen/Qwen2.5-72B-Instruct",
        memory="400Gi",
        gpus=4,
        arguments=("--tensor-parallel-size", "4"),
        storage="400Gi",
        budget=(10, 60),
    )
    cluster.advance(300)
    assert cluster.ready()


def test_too_little_memory_is_a_kill_by_the_kernel(cluster: Cluster) -> None:
    cluster.add(model="Qwen/Qwen2.5-7B", memory="8Gi")
    cluster.advance(40)
    end = cluster.last_end()
    assert (end["exitCode"], end["reason"]) == (137, "OOMKilled")


def test_the_weights_size_can_be_set(cluster: Cluster) -> None:
    cluster.add(env=[{"name": "SANDBOX_WEIGHTS_GIB", "value": "40"}], memory="24Gi")
    cluster.advance(60)
    assert cluster.last_end()["reason"] == "OOMKilled"


def test_two_gpus_without_shared_memory_break_nccl(cluster: Cluster) -> None:
    mounts = [{"name": "data", "mountPath": "/data"}]
    cluster.add(gpus=2, arguments=("--tensor-parallel-size", "2"), container={"volumeMounts": mounts})
    cluster.advance(40)
    assert "NCCL error" in cluster.log()


def test_the_startup_budget_ends_a_slow_start(cluster: Cluster) -> None:
    cluster.add(env=[{"name": "SANDBOX_LOAD_SECONDS", "value": "200"}], budget=(5, 6))
    cluster.advance(60)
    assert "Container engine failed startup probe, will be restarted" in cluster.events("md-a-0", "Killing")
    assert any(text.startswith("Startup probe failed:") for text in cluster.events("md-a-0", "Unhealthy"))
    assert cluster.last_end()["exitCode"] == 137
    assert "KeyboardInterrupt: terminated" in cluster.log()


def test_a_slow_start_within_the_budget_only_takes_longer(cluster: Cluster) -> None:
    cluster.add(env=[{"name": "SANDBOX_LOAD_SECONDS", "value": "200"}], budget=(10, 60))
    cluster.advance(150)
    assert not cluster.ready()
    assert cluster.container()["restartCount"] == 0
    cluster.advance(100)
    assert cluster.ready()


def test_an_engine_that_dies_is_started_again_and_becomes_ready_in_between(cluster: Cluster) -> None:
    cluster.add(env=[{"name": "SANDBOX_CRASH_AFTER_SECONDS", "value": "30"}])
    cluster.advance(25)
    assert cluster.ready()
    cluster.advance(30)
    assert "EngineDeadError" in cluster.log()
    assert cluster.container()["restartCount"] == 1
    cluster.advance(20)
    assert cluster.ready()


def test_the_back_off_between_restarts_grows(cluster: Cluster) -> None:
    cluster.add(arguments=("--wrong",))
    cluster.advance(18)
    assert "back-off 10s restarting failed container=engine pod=md-a-0_models" in cluster.waiting()[1]
    cluster.advance(300)
    assert "back-off 1m20s" in cluster.waiting()[1] or "back-off 2m40s" in cluster.waiting()[1]


def test_an_engine_that_is_made_to_fail_is_restarted(cluster: Cluster) -> None:
    cluster.add()
    cluster.advance(60)
    (key,) = cluster.engines.open_engines
    cluster.engines.failed.add(key)
    cluster.advance(1.5)
    assert cluster.last_end()["exitCode"] == 1
    cluster.advance(40)
    assert cluster.ready()


def test_a_command_that_the_image_lacks_cannot_start(cluster: Cluster) -> None:
    cluster.add(container={"command": ["vlm", "serve"]})
    cluster.advance(20)
    end = cluster.last_end()
    assert (end["exitCode"], end["reason"]) == (128, "StartError")
    assert "executable file not found in $PATH" in end["message"]
    assert cluster.events("md-a-0", "Started") == []


def test_a_shell_around_the_server_is_understood(cluster: Cluster) -> None:
    command = ["sh", "-c", "exec vllm serve facebook/opt-125m --port 8000"]
    cluster.add(container={"command": command, "args": []})
    cluster.advance(60)
    assert cluster.ready()

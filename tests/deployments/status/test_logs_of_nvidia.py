"""What NIM and Dynamo print when they die, and what is said of it."""

import pytest

from deployments.diagnosis import logs
from deployments.status import judge
from deployments.vocabulary import Engine
from tests.deployments.status.build import NOW, ended, waiting
from tests.deployments.status.operated import frontend, graph, pod, seen, service, worker

NIM = {
    "ngc-key": (
        "NGC Authentication Error: the key in NGC_API_KEY was not accepted: 401 Unauthorized.",
        "Authentication Error: the requested operation requires an API key",
    ),
    "nim-profile-chosen": (
        "ERROR: NIM_MODEL_PROFILE tensorrt_llm-h100 cannot be used: it needs 2 GPUs.",
        "Error: Not all of the provided profiles are supported. Unknown profiles provided: {'x'}",
    ),
    "nim-profile": (
        "Detected 0 compatible profile(s).",
        "ERROR: no profile can run on the detected hardware.",
    ),
    "nim-cache": (
        "ERROR nim-serve: the cache at /opt/nim/.cache cannot be written by this user: Permission denied.",
        "PermissionError: [Errno 13] Permission denied: '/opt/nim/.cache/ngc'",
        "OSError: cannot write: Permission denied: /model-store/ngc",
    ),
    "gpu-memory": ("torch.OutOfMemoryError: CUDA out of memory.",),
}
DYNAMO = {
    "dynamo-etcd": (
        'Exception: Failed to connect to etcd server with config ClientOptions { etcd_url: ["http://x:2379"] }',
        "    0: creating primary lease",
    ),
    "dynamo-nats": (
        "nats.errors.NoServersError: nats: no servers available for connection",
        "Error: Failed to connect to NATS server at nats://dynamo-nats:4222",
    ),
    "dynamo-discovery": (
        'dynamoworkermetadatas.nvidia.com is forbidden: User "system:serviceaccount:models:default" cannot list',
    ),
    "dynamo-backend": ("ModuleNotFoundError: No module named 'dynamo.sglang'",),
    "dynamo-transfer": (
        "[1732] UCX  ERROR no active messages transport to <no debug data>",
        "nixl._bindings.nixlBackendError: NIXL_ERR_BACKEND",
    ),
    "argument": ("vllm: error: unrecognized arguments: --mem-fraction-static",),
    "model-not-found": (
        "OSError: Qwen/none is not a local folder and is not a valid model identifier listed on",
    ),
}


@pytest.mark.parametrize(
    ("engine", "code", "line"),
    [(Engine.NIM, code, line) for code, lines in NIM.items() for line in lines]
    + [(Engine.DYNAMO, code, line) for code, lines in DYNAMO.items() for line in lines],
)
def test_a_line_names_its_cause_with_a_remedy(engine: Engine, code: str, line: str) -> None:
    found = logs.recognise(["INFO starting", line], engine)
    assert found is not None
    cause, told = found
    assert (cause.code, told) == (code, line)
    assert cause.sentence.endswith(".")
    assert cause.remedy.endswith(".")


@pytest.mark.parametrize(
    "line",
    [
        "INFO NGC_API_KEY is set",
        "INFO Initialized NIXL agent: 1a2b",
        "INFO connected to NATS at nats://dynamo-nats:4222",
        "INFO Detected 2 compatible profile(s).",
        "INFO etcd client ready",
    ],
)
def test_a_line_of_a_good_start_names_none(line: str) -> None:
    assert logs.recognise([line], Engine.DYNAMO) is None


def test_a_remedy_speaks_of_the_engine_that_runs() -> None:
    line = "CUDA out of memory"
    by_engine = {engine: logs.recognise([line], engine) for engine in Engine}
    assert all(by_engine.values())
    assert len({found[0].remedy for found in by_engine.values() if found}) == 3


def test_an_image_of_nvidia_that_is_refused_asks_for_the_ngc_key() -> None:
    for message in (
        "401 Unauthorized",
        "403 Forbidden",
        "repository does not exist or may require: access denied",
    ):
        refused = pod("md-chat-x", state=waiting("ErrImagePull", message))
        status = judge(seen(service(state="NotReady"), refused), NOW)
        assert status.code == "image-unauthorised"
        assert "NGC key" in status.remedy
        assert "$oauthtoken" in status.remedy


def test_the_limit_of_a_pod_that_ran_out_of_memory_is_its_own() -> None:
    killed = frontend(
        ready=False, restarts=1, last=ended(137, "OOMKilled"), state=waiting("CrashLoopBackOff")
    )
    killed["spec"]["containers"][0]["resources"] = {"limits": {"memory": "8Gi"}}
    status = judge(seen(graph(state="pending", ready="False"), killed, worker()), NOW)
    assert "its limit of 8Gi is too low" in status.sentence

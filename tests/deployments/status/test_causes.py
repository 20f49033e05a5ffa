"""Every cause that can keep a deployment from serving: its phase, its sentence, its remedy."""

import pytest

from deployments.status import judge
from deployments.vocabulary import Phase
from tests.deployments.status.build import (
    NOW,
    autoscaler,
    ended,
    event,
    pod,
    running,
    seen,
    spec,
    waiting,
    workload,
)

GPU = (
    "0/5 nodes are available: 3 Insufficient nvidia.com/gpu, 2 node(s) had untolerated taint {dedicated: infra}. "
    "preemption: 0/5 nodes are available: 3 No preemption victims found for incoming pod, 2 Preemption is not helpful."
)
BACK_OFF = "Back-off pulling image"


def pull(message: str) -> dict:
    return pod(state=waiting("ErrImagePull", message))


def crash(message: str = "", **end: object) -> dict:
    return pod(
        state=waiting("CrashLoopBackOff", "back-off 40s"), restarts=3, last=ended(message=message, **end)
    )


CAUSES = {
    "a tag that does not exist": (
        pull('failed to resolve reference "docker.io/vllm/vllm-openai:v0.33.0": not found'),
        [],
        "image-not-found",
        "the image or tag does not exist",
        "Check the image and the tag",
    ),
    "a tag that does not exist, while the kubelet backs off": (
        pod(state=waiting("ImagePullBackOff", BACK_OFF)),
        [
            event("Failed", "Failed to pull image: manifest unknown", seconds=40),
            event("Failed", "Error: ImagePullBackOff", seconds=10),
        ],
        "image-not-found",
        "the image or tag does not exist",
        "Check the image",
    ),
    "a registry that wants credentials": (
        pull("failed to authorize: 401 Unauthorized"),
        [],
        "image-unauthorised",
        "401 unauthorised",
        "credentials for docker.io",
    ),
    "a repository that may be private": (
        pull("pull access denied, repository does not exist or may require authorization"),
        [],
        "image-unauthorised",
        "does not exist, or needs credentials",
        "credentials",
    ),
    "a registry out of reach": (
        pull("dial tcp 10.0.0.1:443: i/o timeout"),
        [],
        "image-registry",
        "does not reach docker.io",
        "mirror",
    ),
    "a registry with an unknown certificate": (
        pull("tls: failed to verify certificate: x509: unknown authority"),
        [],
        "image-registry",
        "does not reach",
        "certificates",
    ),
    "a full node": (
        pull("write /var/lib: no space left on device"),
        [],
        "image-disk",
        "disk is full",
        "Free space",
    ),
    "a name that is none": (
        pod(state=waiting("InvalidImageName", "")),
        [],
        "image-name",
        "is not the name of an image",
        "Check",
    ),
    "not enough GPUs": (
        pod(unschedulable=GPU),
        [],
        "gpu",
        "a replica needs 1 GPU free on one node, and 3 of 5 nodes have too few",
        "Free GPUs",
    ),
    "not enough memory": (
        pod(unschedulable="0/2 nodes are available: 2 Insufficient memory."),
        [],
        "memory",
        "a replica asks for 24Gi, and 2 of 2 nodes",
        "Lower the request",
    ),
    "no node of the product": (
        pod(unschedulable="0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector."),
        [],
        "selector",
        "the node selector matches none of 2 nodes",
        "GPU product",
    ),
    "a taint": (
        pod(unschedulable="0/1 nodes are available: 1 node(s) had untolerated taint {gpu: reserved}."),
        [],
        "taint",
        "taint gpu: reserved",
        "Remove the taint",
    ),
    "an unbound volume": (
        pod(unschedulable="0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims."),
        [],
        "volume",
        "not bound yet",
        "storage class",
    ),
    "a missing secret": (
        pod(state=waiting("CreateContainerConfigError", 'secret "md-chat--env" not found')),
        [],
        "missing-secret",
        "Secret md-chat--env does not exist in namespace models.",
        "Create it",
    ),
    "a missing key": (
        pod(
            state=waiting(
                "CreateContainerConfigError", "couldn't find key token in Secret models/md-chat--weights"
            )
        ),
        [],
        "missing-key",
        "Secret models/md-chat--weights has no key token.",
        "Add the key",
    ),
    "an image that runs as root": (
        pod(
            state=waiting(
                "CreateContainerConfigError", "container has runAsNonRoot and image will run as root"
            )
        ),
        [],
        "run-as-root",
        "runs as root",
        "another user",
    ),
    "an image without the engine": (
        pod(state=waiting("RunContainerError", 'exec: "vllm": executable file not found in $PATH')),
        [],
        "command",
        "does not have the program",
        "image of this engine",
    ),
    "a broken GPU driver": (
        pod(state=waiting("RunContainerError", "nvidia-container-cli: initialization error")),
        [],
        "gpu-driver",
        "GPU driver",
        "driver",
    ),
    "a missing mount": (
        pod(state=waiting("ContainerCreating")),
        [event("FailedMount", 'MountVolume.SetUp failed: secret "md-chat--tls" not found')],
        "missing-object",
        "Secret md-chat--tls does not exist",
        "Create it",
    ),
    "a volume on another node": (
        pod(state=waiting("ContainerCreating")),
        [event("FailedAttachVolume", "Multi-Attach error for volume")],
        "volume-attached",
        "still attached to another node",
        "Wait",
    ),
    "out of host memory": (
        crash(code=137, reason="OOMKilled"),
        [],
        "oom",
        "its limit of 48Gi is too low (3 restarts)",
        "Raise the memory limit",
    ),
    "out of GPU memory": (
        crash("torch.OutOfMemoryError: CUDA out of memory. Tried"),
        [],
        "gpu-memory",
        "do not fit into the GPU",
        "--max-model-len",
    ),
    "a gated model": (
        crash("OSError: You are trying to access a gated repo."),
        [],
        "gated-model",
        "gated",
        "Accept the licence",
    ),
    "an argument that is unknown": (
        crash("vllm serve: error: unrecognized arguments: --nonsense"),
        [],
        "argument",
        "does not know one of the arguments",
        "Check",
    ),
    "heads that cannot be divided": (
        crash("ValueError: 40 must be divisible by tensor parallel size (3)"),
        [],
        "tensor-parallel",
        "attention heads",
        "divides",
    ),
    "a full volume": (
        crash("OSError: No space left on device"),
        [],
        "volume-full",
        "volume is full",
        "larger volume",
    ),
    "a crash of unknown cause": (
        crash("Traceback (most recent call last)\nKeyError: 'rope'"),
        [],
        "crash",
        "exit code 1 (3 restarts): KeyError: 'rope'.",
        "log",
    ),
    "a crash without a word": (crash(), [], "crash", "ended with exit code 1 (3 restarts).", "log"),
    "a start-up budget that ran out": (
        pod(
            state=running(20),
            started=False,
            restarts=1,
            last=ended(137, message="KeyboardInterrupt: terminated"),
        ),
        [event("Killing", "Container engine failed startup probe, will be restarted")],
        "startup-budget",
        "was not loaded within 60 min",
        "VLLM_ENGINE_READY_TIMEOUT_S",
    ),
    "a crash, seen while the next run starts": (
        pod(state=running(5), started=False, restarts=1, last=ended(137, "OOMKilled")),
        [],
        "oom",
        "ran out of host memory",
        "Raise",
    ),
    "an engine that hangs": (
        pod(state=running(900), started=True),
        [],
        "not-answering",
        "does not answer its health check",
        "log",
    ),
    "an eviction": (
        pod(phase="Failed", reason="Evicted", message="The node was low on resource: ephemeral-storage."),
        [],
        "evicted",
        "low on resource: ephemeral-storage",
        "disk",
    ),
    "a broken GPU": (
        pod(
            phase="Failed",
            reason="UnexpectedAdmissionError",
            message="requested number of devices unavailable for nvidia.com/gpu",
        ),
        [],
        "node-refused",
        "devices unavailable",
        "device plugin",
    ),
    "a runtime that is missing": (
        pod(state=waiting("ContainerCreating")),
        [event("FailedCreatePodSandBox", 'no runtime for "nvidia" is configured')],
        "runtime",
        "container runtime",
        "Install",
    ),
}


@pytest.mark.parametrize("name", CAUSES)
def test_a_cause_is_named_with_its_remedy(name: str) -> None:
    made, events, code, sentence, remedy = CAUSES[name]
    status = judge(seen(made, events=events), NOW)
    assert (status.phase, status.code) == (Phase.FAILED, code)
    assert sentence in status.sentence
    assert status.sentence.endswith(".")
    assert remedy in status.remedy
    assert status.replicas[0].label == "Failed"


def test_quota_comes_before_everything_and_scheduling_before_images() -> None:
    broken = (pull("not found"), pod(1, unschedulable=GPU))
    refused = event(
        "FailedCreate",
        "exceeded quota: gpus, requested: a=1, used: a=1, limited: a=1",
        of="md-chat",
        kind="StatefulSet",
    )
    assert judge(seen(*broken), NOW).code == "gpu"
    assert judge(seen(*broken, wanted=spec(3), events=[refused]), NOW).code == "quota"


def test_equal_findings_are_counted_together() -> None:
    wanted = spec(4)
    two = [pod(i, unschedulable=GPU) for i in range(2)]
    status = judge(seen(*two, pod(2, ready=True), pod(3, ready=True), wanted=wanted), NOW)
    assert status.sentence.startswith("2 of 4 replicas: Not enough GPUs")


@pytest.mark.parametrize(
    ("made", "phase"),
    [
        (pod(unschedulable=GPU, unscheduled_for=3), Phase.SCHEDULING),
        (pod(state=running(900), started=True), Phase.FAILED),
    ],
)
def test_what_may_pass_by_itself_gets_a_moment(made: dict, phase: Phase) -> None:
    assert judge(seen(made), NOW).phase is phase


def test_a_node_that_is_being_added_is_waited_for() -> None:
    growing = event("TriggeredScaleUp", "pod triggered scale-up: 1->2")
    status = judge(seen(pod(unschedulable=GPU, unscheduled_for=120), events=[growing]), NOW)
    assert status.phase is Phase.SCHEDULING
    assert "adding a node" in status.sentence


def test_trouble_of_the_autoscaler_is_a_remark_and_no_failure() -> None:
    broken = {
        "type": "ScalingActive",
        "status": "False",
        "reason": "FailedGetResourceMetric",
        "message": "unable to fetch",
    }
    wanted = spec(1, autoscaling=True)
    status = judge(seen(pod(ready=True), wanted=wanted, of=workload(1), scaler=autoscaler(broken)), NOW)
    assert status.phase is Phase.SERVING
    assert "metrics-server" in status.remarks[0]


def test_the_log_of_the_dead_container_is_the_evidence() -> None:
    log = [
        "INFO loading",
        "ValueError: No available memory for the cache blocks.",
        "RuntimeError: Engine core initialization failed.",
    ]
    status = judge(
        seen(crash("RuntimeError: Engine core initialization failed."), logs={"md-chat-0": log}), NOW
    )
    assert status.code == "gpu-memory"
    assert status.evidence.log == tuple(log)
    assert status.evidence.log_of == "md-chat-0"

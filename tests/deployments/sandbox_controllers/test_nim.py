"""NIM containers, 1.x and 2.x: registry, key, cache, profile, arguments; and what each failure says."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from deployments.sandbox.engines import nim_profiles
from deployments.sandbox.nodes.registry import parse_image, pull
from deployments.spec import Gpu, Resources
from tests.deployments.manifests.nim_cases import CONTEXT, IMAGE, NIM, given, nim
from tests.deployments.sandbox_controllers import nims
from tests.deployments.sandbox_controllers.cluster import NAMESPACE, Cluster

_PATH = "nim/meta/llama-3.1-8b-instruct"


def _env(cluster: Cluster, *, drop: tuple[str, ...] = (), **values: str) -> None:
    """Give the workload other variables, as somebody would by hand; the pod is replaced."""

    def change(live: dict[str, Any]) -> None:
        engine = live["spec"]["template"]["spec"]["containers"][0]
        gone = {*values, *drop}
        kept = [each for each in engine["env"] if each["name"] not in gone]
        engine["env"] = [*kept, *({"name": name, "value": value} for name, value in values.items())]

    cluster.store.update("statefulsets", NAMESPACE, nims.WORKLOAD, change, manager="somebody")


def _said(cluster: Cluster, seconds: int = 120) -> str:
    """What the only replica logs until it has crashed."""
    cluster.advance(seconds)
    pod, _container = nims.engine(cluster)
    assert cluster.container(pod)["restartCount"] >= 1
    return nims.log(cluster)


@pytest.mark.parametrize(
    "case",
    ["nim-1", "nim-2", "nim-keyless", "nim-by-digest", "nim-arguments", "nim-of-any-model", "nim-autoscaled"],
)
def test_what_the_console_renders_comes_up(cluster: Cluster, case: str) -> None:
    nims.apply_case(cluster, case)
    cluster.advance(400)
    assert cluster.pods()
    assert [name for name in cluster.pods() if not cluster.ready(name)] == []
    assert {cluster.container(name)["restartCount"] for name in cluster.pods()} == {0}


def test_the_served_name_and_the_engine_inside_follow_the_variables(cluster: Cluster) -> None:
    nims.apply_case(cluster, "nim-arguments")
    cluster.advance(200)
    (config,) = cluster.engines.open_engines.values()
    assert (config.names, config.root, config.max_num_seqs) == (
        ("llama-8b",),
        "meta/llama-3.1-8b-instruct",
        32,
    )
    assert (config.flavour, config.release, config.version) == ("nim2", "2.0.3", "0.18.0")


@pytest.mark.parametrize(
    ("key", "sentence"),
    [("", "401 Unauthorized"), ("nvapi-invalid", "403 Forbidden"), (None, "401 Unauthorized")],
)
def test_the_registry_refuses_who_has_no_good_key(key: str | None, sentence: str) -> None:
    image = parse_image(f"{IMAGE}:2.0.3")
    assert image is not None
    auths = {"auths": {"nvcr.io": {"username": "$oauthtoken", "password": key}}}
    data = {".dockerconfigjson": base64.b64encode(json.dumps(auths).encode()).decode()}
    secret: dict[str, object] = {"type": "kubernetes.io/dockerconfigjson", "data": data}
    assert sentence in pull(image, [] if key is None else [secret]).error


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        (f"{IMAGE}:2.0.12", True),
        (f"{IMAGE}:2.0.12-pb6.0", False),
        (f"{IMAGE}-pb6:2.0.12", False),
        ("nvcr.io/nvidia/ai-dynamo/vllm-runtime:0.7.0", True),
        ("nvcr.io/nvidia/ai-dynamo/sglang-runtime:1.0.1", True),
        ("nvcr.io/nvidia/ai-dynamo/tensorrtllm-runtime:1.5.0", True),
        ("nvcr.io/nvidia/ai-dynamo/vllm-runtime:9.9.9", False),
    ],
)
def test_some_images_are_open_to_everybody(reference: str, found: bool) -> None:
    image = parse_image(reference)
    assert image is not None
    assert (pull(image).error == "") is found


@pytest.mark.parametrize("tag", ["9.9.9", "3.0", "v2.0.3", "0.1"])
def test_a_tag_that_nobody_published_is_not_found(tag: str) -> None:
    image = parse_image(f"{IMAGE}:{tag}")
    assert image is not None
    auths = {"auths": {"nvcr.io": {"auth": base64.b64encode(b"$oauthtoken:nvapi-x").decode()}}}
    data = {".dockerconfigjson": base64.b64encode(json.dumps(auths).encode()).decode()}
    secret: dict[str, object] = {"type": "kubernetes.io/dockerconfigjson", "data": data}
    assert "not found" in pull(image, [secret]).error


@pytest.mark.parametrize("tag", ["1.8.3", "2.0.3"])
def test_weights_from_ngc_need_the_key_at_run_time_too(cluster: Cluster, tag: str) -> None:
    nims.apply(cluster, nim(tag=tag), CONTEXT)
    _env(cluster, drop=("NGC_API_KEY",))
    said = _said(cluster)
    assert "Authentication Error" in said
    assert "NGC_API_KEY" in said


def test_a_refused_key_is_told_apart_from_a_missing_one(cluster: Cluster) -> None:
    nims.apply(cluster, NIM, CONTEXT)
    _env(cluster, NGC_API_KEY="nvapi-invalid")
    assert "the key in NGC_API_KEY was not accepted" in _said(cluster)


def test_an_empty_key_makes_even_a_keyless_image_log_in(cluster: Cluster) -> None:
    nims.apply(cluster, nim(tag="2.0.12"), given(ngc_key=None))
    _env(cluster, NGC_API_KEY="")
    assert "Authentication Error" in _said(cluster)


def test_a_filled_cache_needs_no_key(cluster: Cluster) -> None:
    nims.apply(cluster, NIM, CONTEXT)
    cluster.advance(200)
    _env(cluster, drop=("NGC_API_KEY",))
    cluster.advance(200)
    pod, _container = nims.engine(cluster)
    assert cluster.ready(pod)


def test_a_profile_is_taken_by_name_or_id_when_it_fits(cluster: Cluster) -> None:
    wanted = nim_profiles.profiles_of(_PATH, 2)[1]
    nims.apply(cluster, NIM, CONTEXT)
    _env(cluster, NIM_MODEL_PROFILE=wanted.id)
    cluster.advance(200)
    assert f"profile {wanted.id} (vllm-fp8-tp1-pp1) was asked for" in nims.log(cluster)
    _env(cluster, NIM_MODEL_PROFILE=wanted.name)
    cluster.advance(200)
    assert cluster.ready(f"{nims.WORKLOAD}-0")


@pytest.mark.parametrize(
    ("profile", "why"),
    [
        ("0" * 64, "not in the manifest"),
        ("vllm-bf16-tp4-pp1", "needs 4 GPUs"),
        ("nonsense", "not in the manifest"),
    ],
)
def test_a_profile_that_cannot_run_ends_the_container(cluster: Cluster, profile: str, why: str) -> None:
    nims.apply(cluster, NIM, CONTEXT)
    _env(cluster, NIM_MODEL_PROFILE=profile)
    said = _said(cluster)
    assert "Detected 0 compatible profile(s)." in said
    assert why in said
    pod, _container = nims.engine(cluster)
    assert "0 compatible profile" in cluster.last_end(pod)["message"]


def test_a_number_of_gpus_without_a_profile_ends_the_container(cluster: Cluster) -> None:
    nims.apply(cluster, replace(NIM, resources=Resources(gpu=Gpu(3))), CONTEXT)
    assert "Detected 0 compatible profile(s)." in _said(cluster)


def test_an_engine_of_1_x_was_built_for_one_product(cluster: Cluster) -> None:
    spec = replace(nim(tag="1.8.3"), resources=Resources(gpu=Gpu(1, product="NVIDIA-L40S")))
    nims.apply(cluster, spec, CONTEXT)
    _env(cluster, NIM_MODEL_PROFILE="tensorrt_llm-h100-fp8-tp1-pp1-throughput")
    assert "built for H100" in _said(cluster)
    _env(cluster, drop=("NIM_MODEL_PROFILE",))
    cluster.advance(400)
    assert cluster.ready(f"{nims.WORKLOAD}-0")


@pytest.mark.parametrize(
    ("tag", "sentence"),
    [("2.0.4", "cannot be written by this user"), ("2.0.3", "PermissionError: [Errno 13]")],
)
def test_a_volume_that_belongs_to_root_cannot_be_the_cache(cluster: Cluster, tag: str, sentence: str) -> None:
    nims.apply(cluster, nim(tag=tag), CONTEXT)

    def take_away(live: dict[str, Any]) -> None:
        live["spec"]["template"]["spec"]["securityContext"].pop("fsGroup")

    cluster.store.update("statefulsets", NAMESPACE, nims.WORKLOAD, take_away)
    assert sentence in _said(cluster)


def test_a_volume_too_small_for_the_weights_is_full(cluster: Cluster) -> None:
    nims.apply(cluster, nim(volume="4Gi"), CONTEXT)
    assert "No space left on device" in _said(cluster)


@pytest.mark.parametrize(
    ("given_arguments", "sentence"),
    [
        ("--no-such-flag 3", "unrecognized arguments: --no-such-flag 3"),
        ("--max-num-seqs 'x", "No closing quotation"),
    ],
)
def test_2_x_hands_its_arguments_to_the_engine(cluster: Cluster, given_arguments: str, sentence: str) -> None:
    nims.apply(cluster, NIM, CONTEXT)
    _env(cluster, NIM_PASSTHROUGH_ARGS=given_arguments)
    assert sentence in _said(cluster)


def test_1_x_does_not_read_them(cluster: Cluster) -> None:
    nims.apply(cluster, nim(tag="1.8.3"), CONTEXT)
    _env(cluster, NIM_PASSTHROUGH_ARGS="--no-such-flag 3")
    cluster.advance(200)
    assert cluster.ready(f"{nims.WORKLOAD}-0")


def test_an_image_for_any_model_must_be_told_which(cluster: Cluster) -> None:
    nims.apply_case(cluster, "nim-of-any-model")
    _env(cluster, drop=("NIM_MODEL_PATH",))
    assert "NIM_MODEL_PATH is not set" in _said(cluster)
    _env(cluster, NIM_MODEL_PATH="hf://acme/gated-7b", HF_TOKEN="")
    assert "acme/gated-7b is restricted" in _said(cluster)

"""Variables that do harm are refused or warned about, with the reason."""

from typing import Any

import pytest

from deployments.engines import environment
from deployments.engines.environment import explained, judge
from deployments.manifests import render
from deployments.vocabulary import Engine
from tests.deployments.manifests.all_cases import CASES
from tests.deployments.manifests.cases import CONTEXT, SIMPLEST
from tests.deployments.manifests.semantics import pods


@pytest.mark.parametrize(
    "name",
    [
        "VLLM_PORT",
        "VLLM_HOST_IP",
        "VLLM_DP_MASTER_PORT",
        "VLLM_NIXL_SIDE_CHANNEL_PORT",
        "VLLM_SERVER_DEV_MODE",
        "VLLM_ALLOW_INSECURE_SERIALIZATION",
        "VLLM_PLUGINS",
        "NVIDIA_VISIBLE_DEVICES",
        "CUDA_VISIBLE_DEVICES",
        "LD_PRELOAD",
        "PYTHONPATH",
        "PATH",
        "HOME",
        "HF_HOME",
        "KUBERNETES_SERVICE_HOST",
    ],
)
def test_a_harmful_variable_is_refused_by_name(name: str) -> None:
    verdict = judge(name, Engine.VLLM)
    assert verdict is not None
    assert verdict.refused
    assert verdict.why.startswith(f"{name}: ")


@pytest.mark.parametrize(
    "name", ["VLLM_ALLOW_LONG_MAX_MODEL_LEN", "VLLM_TRACE_FUNCTION", "VLLM_USE_V1", "VLLM_API_KEY"]
)
def test_a_risky_variable_is_accepted_with_a_warning(name: str) -> None:
    verdict = judge(name, Engine.VLLM)
    assert verdict is not None
    assert not verdict.refused


@pytest.mark.parametrize(
    "name",
    ["VLLM_LOGGING_LEVEL", "HF_TOKEN", "VLLM_ENGINE_READY_TIMEOUT_S", "MY_PATH", "vllm_port", "HF_HOME_2"],
)
def test_an_ordinary_variable_is_accepted(name: str) -> None:
    assert judge(name, Engine.VLLM) is None


def test_whatever_the_manifest_sets_cannot_be_set_by_people() -> None:
    pod = render(SIMPLEST, CONTEXT)[-1]["spec"]["template"]["spec"]
    ours = {variable["name"] for variable in pod["containers"][0]["env"]}
    free = {name for name in ours if (verdict := judge(name, Engine.VLLM)) is None or not verdict.refused}
    assert free == {environment.READY_TIMEOUT}


CASES_OF = {
    Engine.NIM: ("nim-profile", "nim-arguments", "nim-of-any-model", "nim-operator"),
    Engine.DYNAMO: tuple(
        f"dynamo-v1beta1-disaggregated-{backend}" for backend in ("vllm", "sglang", "trtllm")
    ),
}


@pytest.mark.parametrize(
    ("engine", "case"), [(engine, case) for engine, cases in CASES_OF.items() for case in cases]
)
def test_whatever_another_engine_s_manifest_sets_cannot_be_set_by_people(engine: Engine, case: str) -> None:
    ours = {
        variable["name"]
        for made in render(*CASES[case])
        for container in containers(made)
        for variable in container["env"]
    }
    assert ours
    free = {name for name in ours if (verdict := judge(name, engine)) is None or not verdict.refused}
    assert free <= {environment.READY_TIMEOUT, environment.HUB_TOKEN}


def containers(made: dict[str, Any]) -> list[dict[str, Any]]:
    if made["kind"] == "NIMService":
        return [made["spec"]]
    if made["kind"] in ("StatefulSet", "DynamoGraphDeployment"):
        return [container for _, pod in pods(made).values() for container in pod["containers"]]
    return []


def test_rules_of_one_engine_do_not_bind_another() -> None:
    assert judge("VLLM_HTTP_TIMEOUT_KEEP_ALIVE", Engine.NIM) is None
    assert judge("NIM_SERVER_PORT", Engine.VLLM) is None
    assert judge("DYN_NAMESPACE", Engine.NIM) is None
    assert judge("NIM_CACHE_PATH", Engine.NIM) is not None


@pytest.mark.parametrize("engine", Engine)
def test_a_vllm_inside_another_engine_is_guarded_as_well(engine: Engine) -> None:
    verdict = judge("VLLM_SERVER_DEV_MODE", engine)
    assert verdict is not None
    assert verdict.refused


@pytest.mark.parametrize(
    ("name", "refused"),
    [
        ("DYN_NAMESPACE", True),
        ("DYN_NAMESPACE_WORKER_SUFFIX", True),
        ("DYN_SYSTEM_PORT", True),
        ("DYN_TRTLLM_MODEL", True),
        ("DYN_TRTLLM_SERVED_MODEL_NAME", True),
        ("DYN_SGL_DISAGGREGATION_MODE", True),
        ("DYN_TRTLLM_TENSOR_PARALLEL_SIZE", True),
        ("NATS_SERVER", True),
        ("DYN_ROUTER_MODE", False),
    ],
)
def test_what_connects_a_graph_is_left_to_its_operator(name: str, refused: bool) -> None:
    verdict = judge(name, Engine.DYNAMO)
    assert verdict is not None
    assert verdict.refused is refused


def test_a_key_does_not_become_a_variable() -> None:
    verdict = judge("NGC_API_KEY", Engine.NIM)
    assert verdict is not None
    assert verdict.refused
    assert judge("NIM_MAX_MODEL_LEN", Engine.NIM) is None


def test_the_table_for_people_begins_with_what_is_refused() -> None:
    rows = list(explained(Engine.VLLM))
    refused = [row.refused for row in rows]
    assert refused == sorted(refused, reverse=True)
    assert True in refused
    assert False in refused
    assert all(row.why.endswith(".") for row in rows)
    assert not any(row.pattern.startswith("NIM_") for row in rows)

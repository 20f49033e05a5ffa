"""Variables that do harm are refused or warned about, with the reason."""

import pytest

from deployments import environment
from deployments.environment import explained, judge
from deployments.manifests import render
from deployments.vocabulary import Engine
from tests.deployments.manifests.cases import CONTEXT, SIMPLEST


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


def test_rules_of_one_engine_do_not_bind_another() -> None:
    assert judge("VLLM_PORT", Engine.NIM) is None
    assert judge("NIM_SERVER_PORT", Engine.VLLM) is None
    assert judge("NIM_CACHE_PATH", Engine.NIM) is not None


def test_the_table_for_people_begins_with_what_is_refused() -> None:
    rows = list(explained(Engine.VLLM))
    refused = [row.refused for row in rows]
    assert refused == sorted(refused, reverse=True)
    assert True in refused
    assert False in refused
    assert all(row.why.endswith(".") for row in rows)
    assert not any(row.engine is Engine.NIM for row in rows)

"""NIM and Dynamo have arguments of their own: by version, mode and backend."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.context import ModelSource
from deployments.engines.arguments import judge as judge_vllm
from deployments.engines.judging import judge, reserved
from deployments.manifests.dynamo_backends import worker_arguments
from deployments.spec import DynamoSpec, EngineSpec
from deployments.vocabulary import DynamoBackend, DynamoMode
from tests.deployments.manifests.cases import SIMPLEST
from tests.deployments.manifests.dynamo_cases import graph
from tests.deployments.manifests.nim_cases import NIM

GRAPHS = [
    replace(graph().engine, dynamo=DynamoSpec(mode, backend))
    for mode in DynamoMode
    for backend in DynamoBackend
]


def refused(engine: EngineSpec, *arguments: str) -> list[int]:
    """Positions of refused arguments."""
    return [v.index for v in judge(replace(engine, arguments=arguments), 1) if v.refused]


def test_vllm_is_judged_as_before() -> None:
    arguments = ("--port", "1", "-tp", "4")
    assert judge(replace(SIMPLEST.engine, arguments=arguments), 1) == judge_vllm(arguments, 1)


def test_nim_1_takes_no_arguments_and_says_the_way_out() -> None:
    verdicts = judge(replace(NIM.engine, tag="1.8.3", arguments=("--max-num-seqs", "32")), 1)
    assert [(v.index, v.refused) for v in verdicts] == [(0, True)]
    assert "NIM_MAX_MODEL_LEN" in verdicts[0].why
    assert judge(replace(NIM.engine, tag="1.8.3"), 1) == []


@pytest.mark.parametrize("engine", [NIM.engine, *GRAPHS])
def test_every_reserved_flag_is_refused_however_it_is_written(engine: EngineSpec) -> None:
    assert reserved(engine)
    for flag in reserved(engine):
        for written in ([flag, "x"], [f"{flag}=x"], [flag.replace("-", "_").replace("__", "--", 1) + "=x"]):
            assert 1 in refused(engine, "--seed=1", *written)


@pytest.mark.parametrize("engine", [NIM.engine, *GRAPHS])
def test_ordinary_arguments_are_accepted(engine: EngineSpec) -> None:
    assert refused(engine, "--seed", "1", "--max-model-len=8192", "--enable-lora") == []


@pytest.mark.parametrize("engine", [NIM.engine, *GRAPHS])
@pytest.mark.parametrize("argument", ["", "a\nb", "\ud800", "facebook/opt-125m", "--", "--seed 1"])
def test_text_that_is_no_argument_is_refused(engine: EngineSpec, argument: str) -> None:
    assert refused(engine, argument) == [0]


@pytest.mark.parametrize("engine", GRAPHS)
def test_slipway_splits_a_worker_over_its_gpus(engine: EngineSpec) -> None:
    assert refused(engine, "--tensor-parallel-size", "4") == [0]
    assert refused(engine, "--tensor", "4") == [0]


@pytest.mark.parametrize(
    ("backend", "flag"),
    [
        (DynamoBackend.VLLM, "--kv-transfer-config"),
        (DynamoBackend.SGLANG, "--disaggregation-transfer-backend"),
        (DynamoBackend.TRTLLM, "--override-engine-args"),
    ],
)
def test_what_carries_a_role_is_free_where_there_are_no_roles(backend: DynamoBackend, flag: str) -> None:
    apart, together = (
        replace(graph().engine, dynamo=DynamoSpec(mode, backend))
        for mode in (DynamoMode.DISAGGREGATED, DynamoMode.AGGREGATED)
    )
    assert refused(apart, flag, "x") == [0]
    assert refused(together, flag, "x") == []


def test_flags_of_one_backend_do_not_bind_another() -> None:
    vllm, sglang, _ = GRAPHS[:3]
    assert refused(sglang, "--tp", "2") == [0]
    assert refused(vllm, "--tp", "2") == []


def test_a_risky_flag_is_accepted_with_a_warning() -> None:
    trtllm = replace(GRAPHS[2], arguments=("--extra-engine-args", "/a.yaml"))
    assert [(v.index, v.refused) for v in judge(trtllm, 1)] == [(0, False)]


@given(st.sampled_from([NIM.engine, *GRAPHS]), st.lists(st.text(max_size=20), max_size=8))
def test_any_arguments_get_verdicts_that_point_at_them(engine: EngineSpec, arguments: list[str]) -> None:
    verdicts = judge(replace(engine, arguments=tuple(arguments)), 1)
    assert all(0 <= v.index <= len(arguments) for v in verdicts)
    assert all(v.why for v in verdicts)


def test_what_we_write_ourselves_is_what_people_cannot_write() -> None:
    """Otherwise an argument of theirs could come after ours and count instead."""
    pinned = ModelSource("Qwen/Qwen3-0.6B", revision="main")
    for mode in DynamoMode:
        for backend in DynamoBackend:
            spec = graph(mode, backend)
            for group in spec.groups:
                flags = [a for a in worker_arguments(spec, pinned, group) if a.startswith("--")]
                assert set(flags) <= set(reserved(spec.engine))

"""Dynamo's graphs as values: both spellings of a graph, generations of workers, command lines."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given as over
from hypothesis import strategies as st

from deployments.manifests import render
from deployments.sandbox.engines import dynamo_flags
from deployments.sandbox.engines.command_line import UsageError
from deployments.sandbox.operators.dynamo_versions import graph_to_alpha, graph_to_beta
from deployments.sandbox.operators.dynamo_workers import Generation, balance
from tests.deployments.manifests.dynamo_cases import CASES

_COUNT = st.integers(0, 8)


def _graph(case: str) -> dict[str, Any]:
    return next(dict(each) for each in render(*CASES[case]) if each["kind"] == "DynamoGraphDeployment")


def _sorted(graph: dict[str, Any]) -> list[Any]:
    return sorted(graph["spec"]["components"], key=lambda component: str(component["name"]))


@pytest.mark.parametrize("case", sorted(CASES))
def test_a_graph_survives_the_way_to_the_other_version_and_back(case: str) -> None:
    beta = graph_to_beta(_graph(case))
    assert _sorted(graph_to_beta(graph_to_alpha(beta))) == _sorted(beta)


@over(
    wanted=st.integers(1, 8),
    old=_COUNT,
    new=_COUNT,
    serving=_COUNT,
    ready=_COUNT,
    surge=_COUNT,
    missing=_COUNT,
)
def test_workers_never_exceed_the_surge_nor_fall_below_what_must_serve(
    wanted: int, old: int, new: int, serving: int, ready: int, surge: int, missing: int
) -> None:
    new = min(new, wanted)
    before, after = Generation(old, min(serving, old), old), Generation(new, min(ready, new), new)
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": missing}}
    left, started = balance(before, after, wanted, strategy)
    assert 0 <= left <= old
    assert new <= started <= wanted
    assert started == new or old + started <= wanted + surge
    least = max(0, wanted - max(missing, 0 if surge else 1))
    available = before.available + after.available
    taken_from_the_healthy = max(0, before.available - left)
    assert available - taken_from_the_healthy >= min(least, available)


@pytest.mark.parametrize(
    ("backend", "words", "role", "passed"),
    [
        (
            "vllm",
            ["--model", "a/b", "--max-num-seqs", "8"],
            "worker",
            ["--model", "a/b", "--max-num-seqs", "8"],
        ),
        ("vllm", ["--model=a/b", "--disaggregation-mode", "prefill"], "prefill", ["--model=a/b"]),
        ("vllm", ["--is-decode-worker", "--enforce-eager"], "decode", ["--enforce-eager"]),
        (
            "sglang",
            ["--model-path", "a/b", "--tp", "2"],
            "worker",
            ["--model", "a/b", "--tensor-parallel-size", "2"],
        ),
        (
            "trtllm",
            ["--model-path", "a/b", "--max-seq-len", "9"],
            "worker",
            ["--model", "a/b", "--max-model-len", "9"],
        ),
        ("trtllm", ["--override-engine-args", '{"a":1}', "--disaggregation-mode", "decode"], "decode", []),
    ],
)
def test_a_workers_command_line_is_read(backend: str, words: list[str], role: str, passed: list[str]) -> None:
    assert dynamo_flags.worker(backend, words) == dynamo_flags.Asked(role, passed)


@pytest.mark.parametrize(
    ("backend", "words", "told"),
    [
        ("vllm", ["--no-such-flag", "1"], "unrecognized arguments: --no-such-flag 1"),
        (
            "sglang",
            ["--gpu-memory-utilization", "0.8"],
            "unrecognized arguments: --gpu-memory-utilization 0.8",
        ),
        ("trtllm", ["--enable-metrics"], "unrecognized arguments: --enable-metrics"),
        ("vllm", ["--disaggregation-mode", "both"], "invalid choice: 'both'"),
        ("vllm", ["--disaggregation-mode"], "expected one argument"),
        ("sglang", ["stray"], "unrecognized arguments: stray"),
    ],
)
def test_a_flag_that_a_backend_does_not_know_is_refused(backend: str, words: list[str], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        dynamo_flags.worker(backend, words)

"""Flags are known by release; where our table ends, it says so and never refuses."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.engines import arguments, vllm_flags
from deployments.preflight import Around, Level, check
from tests.deployments.preflight.cases import EXPOSURE, FACTS, NOW, SOURCE, SPEC


def doubted(tag: str, *given: str) -> list[str]:
    return [doubt.flag for doubt in vllm_flags.doubts(given, tag)]


@pytest.mark.parametrize(
    "flag",
    [
        "--max-model-len",
        "--gpu-memory-utilization",
        "--enforce-eager",
        "--enable-lora",
        "-q",
        "--tool-call-parser",
    ],
)
def test_common_flags_are_known_in_every_release(flag: str) -> None:
    assert [doubted(f"v0.{minor}.0", flag) for minor in range(18, 40)] == [[]] * 22


@pytest.mark.parametrize(
    ("flag", "tag", "known"),
    [
        ("--enable-per-request-metrics", "v0.22.0", False),
        ("--enable-per-request-metrics", "v0.24.1", True),
        ("--enable-per-request-metrics", "v0.33.0", True),
        ("--max-num-queued-reqs", "v0.26.0", False),
        ("--max-num-queued-reqs", "v0.30.0", True),
        ("--calculate-kv-scales", "v0.26.0", True),
        ("--calculate-kv-scales", "v0.30.0", False),
        ("--calculate-kv-scales", "v0.40.0", False),
        ("--max_model_len", "v0.33.0", True),
        ("--no-enable-prefix-caching", "v0.33.0", True),
        ("--compilation-config.mode", "v0.33.0", True),
        ("--foo", "v0.33.0", False),
    ],
)
def test_a_flag_is_known_from_its_first_release_to_its_last(flag: str, tag: str, known: bool) -> None:
    assert doubted(tag, flag, "1") == ([] if known else [flag])


@pytest.mark.parametrize("tag", ["latest", "nightly", "sha256:" + "0" * 64, "v0.9.2", "v0.17.1"])
def test_nothing_is_said_about_releases_that_were_not_read(tag: str) -> None:
    assert doubted(tag, "--foo") == []


def test_the_reason_says_what_to_do() -> None:
    def why(flag: str, tag: str) -> str:
        return next(vllm_flags.doubts((flag,), tag)).why

    assert "Use --structured-outputs-config." in why("--guided-decoding-backend", "v0.33.0")
    assert "first seen in v0.30" in why("--max-num-queued-reqs", "v0.22.0")
    assert "last seen in v0.26" in why("--calculate-kv-scales", "v0.33.0")


def test_the_preflight_warns_and_does_not_block() -> None:
    def look(*given: str) -> list[tuple[Level, str]]:
        spec = replace(SPEC, engine=replace(SPEC.engine, arguments=given))
        seen = check(spec, SOURCE, FACTS, EXPOSURE, Around(now=NOW))
        return [(item.level, item.title) for item in seen.items if "know" in item.title]

    assert look("--foo", "1") == [
        (Level.WARNING, "vLLM v0.33.0 does not know --foo, as far as Slipway knows")
    ]
    assert look("--max-num-seqs", "8") == [(Level.PASSED, "The flags are known")]
    assert look() == []


def test_every_flag_that_slipway_refuses_or_warns_of_is_one_of_vllm() -> None:
    named = [*arguments.REFUSED, *arguments.RISKY, arguments.TENSOR, arguments.PIPELINE, arguments.DATA]
    assert [flag for flag in named if not vllm_flags.is_known(flag, (0, 33))] == []


@given(st.lists(st.text(max_size=20), max_size=5), st.text(max_size=20))
def test_any_text_is_judged_without_an_error(given: list[str], tag: str) -> None:
    assert all(doubt.flag and doubt.why.endswith(".") for doubt in vllm_flags.doubts(given, tag))

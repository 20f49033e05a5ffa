"""Arguments that Slipway sets itself are refused, in whatever way they are written, and GPUs have to add up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.engines.arguments import (
    LONGEST_ARGUMENT,
    MOST_ARGUMENTS,
    REFUSED,
    Parallelism,
    judge,
    parallelism,
    token_count,
    value_of,
)


def refused(*arguments: str, gpus: int = 1, heads: int | None = None) -> list[int]:
    """Positions of refused arguments."""
    return [verdict.index for verdict in judge(arguments, gpus, heads) if verdict.refused]


@pytest.mark.parametrize("flag", REFUSED)
def test_a_flag_that_slipway_sets_is_refused_with_its_reason(flag: str) -> None:
    for arguments in ([flag, "x"], [f"{flag}=x"], [flag.replace("-", "_").replace("__", "--", 1) + "=x"]):
        verdicts = judge(["--enforce-eager", *arguments], 1)
        assert any(v.index == 1 and v.refused and REFUSED[flag] in v.why for v in verdicts)


@pytest.mark.parametrize(
    ("short", "meant"),
    [
        ("--por", "--port"),
        ("--mod=x", "--model"),
        ("--served-model", "--served-model-name"),
        ("--tensor", "--tensor-p"),
    ],
)
def test_the_beginning_of_a_flag_is_refused_like_the_flag(short: str, meant: str) -> None:
    verdicts = judge([short, "8"], 8)
    assert any(v.refused and meant in v.why and "in full" in v.why for v in verdicts)


@pytest.mark.parametrize(
    "arguments",
    [
        ("meta-llama/Llama-3.1-8B",),
        ("--enforce-eager", "meta-llama/Llama-3.1-8B"),
        ("--max-model-len", "8192", "meta-llama/Llama-3.1-8B"),
        ("--max-model-len=8192", "meta-llama/Llama-3.1-8B"),
    ],
)
def test_a_second_model_is_refused(arguments: tuple[str, ...]) -> None:
    assert len(arguments) - 1 in refused(*arguments)


@pytest.mark.parametrize("argument", ["--max-model-len 8192", "--port 9000", "--port =9000"])
def test_a_flag_and_its_value_in_one_argument_are_refused(argument: str) -> None:
    verdicts = judge(["--enforce-eager", argument], 1)
    assert [(v.index, v.refused) for v in verdicts] == [(1, True)]
    assert "two arguments" in verdicts[0].why


def test_the_end_of_flags_is_refused() -> None:
    assert refused("--", "meta-llama/Llama-3.1-8B") == [0]


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--max-model-len", "8192", "--enforce-eager", "--dtype=half"),
        ("--lora-modules", "a=/data/a", "b=/data/b"),
        ("--override-generation-config", '{"temperature": 0.1}'),
        ("--max-model-len", "-1"),
        ("-q", "fp8"),
        ("--model-impl", "transformers"),
        ("--config-format", "mistral"),
        ("--enable-auto-tool-choice", "--tool-call-parser", "hermes"),
        ("--hf-overrides.rope_theta", "1000000"),
    ],
)
def test_ordinary_arguments_are_accepted(arguments: tuple[str, ...]) -> None:
    assert judge(arguments, 1) == []


@pytest.mark.parametrize(
    "argument", ["", " ", "a\nb", "a\0b", "a\rb", "\x7f", "\ud800", "x" * (LONGEST_ARGUMENT + 1)]
)
def test_text_that_is_no_argument_is_refused(argument: str) -> None:
    assert refused("--dtype", argument) == [1]


def test_the_number_of_arguments_is_bounded() -> None:
    assert refused(*["--enforce-eager"] * MOST_ARGUMENTS) == []
    assert refused(*["--enforce-eager"] * (MOST_ARGUMENTS + 1)) == [MOST_ARGUMENTS]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--tensor-parallel-size", "4"),
        ("--tensor-parallel-size=4",),
        ("--tensor_parallel_size=4",),
        ("-tp", "4"),
        ("-tp=4",),
        ("-tp", "2", "-pp", "2"),
        ("-tp=2", "--data-parallel-size", "2"),
        ("--pipeline-parallel-size", "4"),
        ("-dp", "4"),
    ],
)
def test_sizes_have_to_make_up_the_gpus(arguments: tuple[str, ...]) -> None:
    assert refused(*arguments, gpus=4) == []
    wrong = judge(arguments, 3)
    assert [verdict.refused for verdict in wrong] == [True]
    assert "= 4, but a replica has 3 GPUs" in wrong[0].why


def test_the_last_of_two_sizes_counts() -> None:
    assert refused("-tp", "8", "-tp", "2", gpus=2) == []


@pytest.mark.parametrize("size", ["0", "-1", "two", "1.5", "1025", "", "²", "٤"])
def test_a_size_that_is_no_whole_number_is_refused(size: str) -> None:
    assert refused(f"--tensor-parallel-size={size}") == [0]


def test_a_size_without_a_value_is_refused() -> None:
    assert refused("--tensor-parallel-size", gpus=1) == [0]


def test_heads_have_to_be_divisible() -> None:
    assert refused("-tp", "8", gpus=8, heads=12) == [0]
    assert refused("-tp", "4", gpus=4, heads=12) == []
    assert refused(gpus=8, heads=12) == [0]
    assert refused("-pp", "2", gpus=8, heads=12) == []


def test_a_risky_flag_is_accepted_with_a_warning() -> None:
    verdicts = judge(["--trust-remote-code"], 1)
    assert [(v.index, v.refused) for v in verdicts] == [(0, False)]
    assert "code" in verdicts[0].why


@given(st.lists(st.text(max_size=20), max_size=8), st.integers(0, 16), st.none() | st.integers(1, 128))
def test_any_arguments_get_verdicts_that_point_at_them(
    arguments: list[str], gpus: int, heads: int | None
) -> None:
    verdicts = judge(arguments, gpus, heads)
    assert all(0 <= verdict.index <= len(arguments) for verdict in verdicts)
    assert all(verdict.why for verdict in verdicts)
    assert parallelism(arguments, gpus).gpus >= 1


@pytest.mark.parametrize(
    ("arguments", "value"),
    [
        (["--max-model-len", "8192"], "8192"),
        (["--max-model-len=8k"], "8k"),
        (["--max_model_len", "1", "--max-model-len", "2"], "2"),
        (["--max-model-len"], ""),
        (["--dtype", "half"], None),
    ],
)
def test_the_value_of_a_flag_is_found(arguments: list[str], value: str | None) -> None:
    assert value_of(arguments, "--max-model-len") == value


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("8192", 8192), ("8k", 8000), ("8K", 8192), ("25.6k", 25600), ("1M", 1048576), ("auto", None)],
)
def test_tokens_are_read_as_vllm_reads_them(text: str, tokens: int | None) -> None:
    assert token_count(text) == tokens


def test_what_is_not_said_about_parallelism_follows_from_the_gpus() -> None:
    assert parallelism([], 4) == Parallelism(4)
    assert parallelism(["-dp", "2"], 4) == Parallelism(2, 1, 2)
    assert parallelism([], 0) == Parallelism(1)

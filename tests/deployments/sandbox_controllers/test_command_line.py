"""The simulated engine reads any command line: right ones as vLLM does, wrong ones without a fault of its own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.sandbox.engines.boot import Surroundings
from deployments.sandbox.engines.command_line import UsageError, parse_serve, split_shell
from deployments.sandbox.engines.engine_options import JSON, MANY, SWITCHES, TEXT, WHOLE
from deployments.sandbox.engines.vllm_boot import vllm_boot
from deployments.sandbox.settings import Settings

_GIB = 1024**3
_WORDS = st.one_of(
    st.sampled_from([f"--{name}" for name in sorted(WHOLE | TEXT | SWITCHES)]),
    st.sampled_from(
        ["1", "0", "-1", "4", "0.5", "8k", "1K", "auto", "true", "{}", "[", "--", "-", "-tp", "--x=1", "²"]
    ),
    st.text(max_size=30),
)


@given(st.lists(_WORDS, max_size=12), st.dictionaries(st.text(max_size=10), st.text(max_size=10), max_size=3))
def test_every_start_serves_or_ends(arguments: list[str], env: dict[str, str]) -> None:
    around = Surroundings(("vllm", "serve"), env, Settings(), gpus=1, gpu_memory_bytes=80 * _GIB)
    boot = vllm_boot(around, arguments, "0.33.0")
    assert (boot.serves_at is None) != (boot.exits_at is None)
    assert [line.offset for line in boot.lines] == sorted(line.offset for line in boot.lines)


def test_the_lists_of_options_do_not_overlap() -> None:
    assert not WHOLE & TEXT
    assert not (WHOLE | TEXT) & SWITCHES
    assert JSON | MANY <= TEXT


def test_values_are_read_in_both_forms() -> None:
    command = parse_serve(["acme/m", "--max-num-seqs=4", "--max-model-len", "8k", "--dtype", "auto"])
    assert (command.model, command.number("max-num-seqs", 0), command.max_model_len) == ("acme/m", 4, 8000)


def test_underscores_short_names_and_negations_are_understood() -> None:
    command = parse_serve(["acme/m", "--max_num_seqs", "4", "-tp", "2", "--no-enable-prefix-caching"])
    assert command.number("max-num-seqs", 0) == 4
    assert command.number("tensor-parallel-size", 1) == 2
    assert not command.switched("enable-prefix-caching")


def test_several_names_are_all_served() -> None:
    command = parse_serve(["acme/m", "--served-model-name", "a", "b", "--port", "9000"])
    assert command.names == ("a", "b")


def test_one_field_of_a_document_may_be_set_by_its_path() -> None:
    command = parse_serve(["acme/m", "--compilation-config.mode", "NONE"])
    assert command.model == "acme/m"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["m", "extra"], "unrecognized arguments: extra"),
        (["m", "--speculative-config", "{"], "argument --speculative-config"),
        (["m", "--port", "9" * 40], "argument --port"),
        (["m", "--served-model-name"], "expected one argument"),
    ],
)
def test_a_wrong_line_is_refused_with_its_place(arguments: list[str], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        parse_serve(arguments)


@pytest.mark.parametrize(
    ("argv", "read"),
    [
        (["sh", "-c", "exec vllm serve m"], ["vllm", "serve", "m"]),
        (["/bin/bash", "-lc", "vllm serve 'a b'"], ["vllm", "serve", "a b"]),
        (["sh", "-c", "echo 'open"], ["sh", "-c", "echo 'open"]),
        (["vllm", "serve"], ["vllm", "serve"]),
    ],
)
def test_a_shell_is_looked_through(argv: list[str], read: list[str]) -> None:
    assert split_shell(argv) == read

"""What a metrics page says, in the names of each family of engines, and what none of its bytes can break."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.engine_metrics.families import FAMILIES
from metering.engine_metrics.page import LONGEST_LINE, MOST_LINES, Figures, parse
from tests.metering.engine_metrics import pages

_BESIDE = Path(__file__).resolve().parents[4] / "shared" / "reference"
_RECORDINGS = Path(os.environ.get("SLIPWAY_TEST_RECORDINGS") or _BESIDE)
_NAMES = sorted({name for family in FAMILIES for names in family.names.values() for name in names})


def test_vllm_with_several_ranks_is_added_up_and_its_use_is_a_mean() -> None:
    assert parse(pages.VLLM) == Figures(
        running=4,
        waiting=19,
        kv_use=0.5,
        prefix_hits=2080,
        prefix_queries=4065,
        preemptions=2,
        prompt_tokens=123,
        generation_tokens=1500,
    )


@pytest.mark.parametrize(
    ("page", "figures"),
    [
        (pages.NIM_1, Figures(2, 1, 0.5, None, None, None, 40, 50)),
        (pages.SGLANG, Figures(5, 6, 0.125, 40, 80, None, 80, 90)),
        (pages.TENSORRT_LLM, Figures(7, 8, 0.25, None, None, None, 11, 12)),
        (pages.DYNAMO, Figures(4, None, None, None, None, None, 300, 60, is_engine=False)),
    ],
    ids=["NIM 1.x", "SGLang", "TensorRT-LLM", "Dynamo"],
)
def test_every_other_family_is_read_by_its_own_names(page: bytes, figures: Figures) -> None:
    assert parse(page) == figures


def test_what_a_page_does_not_say_is_unknown_and_not_zero() -> None:
    lines = pages.VLLM.splitlines(keepends=True)
    found = parse(b"".join(line for line in lines if b"preemptions" not in line and b"kv_cache" not in line))
    assert found is not None
    assert (found.preemptions, found.kv_use, found.running) == (None, None, 4)
    assert parse(b'vllm:num_requests_running{engine="0"} 0.0\n') == Figures(running=0)


@pytest.mark.parametrize(
    "page", [b"", b"other_total 3\n", b"<html>vllm:num_requests_running</html>", b"# x\n"]
)
def test_a_page_without_figures_is_none(page: bytes) -> None:
    assert parse(page) is None


def test_an_old_name_is_taken_only_where_the_new_one_is_missing() -> None:
    old = b'vllm:gpu_cache_usage_perc{model_name="m"} 0.125\n'
    found = parse(pages.VLLM + old)
    assert found is not None
    assert found.kv_use == 0.5
    assert parse(old) == Figures(kv_use=0.125)


def test_a_page_that_has_figures_of_two_families_is_of_the_richer_one() -> None:
    few = b'sglang:num_running_reqs{model_name="m"} 99.0\n'
    assert parse(few + pages.VLLM) == parse(pages.VLLM) == parse(pages.VLLM + few)


def test_histograms_are_no_figures_whatever_their_buckets() -> None:
    usual = pages.histogram(("0.001", "0.005", "0.01"), 5)
    other = pages.histogram(("0.1", "0.2", "400.0"), 900)
    assert parse(pages.VLLM + usual) == parse(pages.VLLM + other) == parse(pages.VLLM)
    assert parse(usual) is None


def test_labels_may_hold_anything() -> None:
    strange = 'vllm:num_requests_running{model_name="a \\"} 7 } é\\\\",engine="0"} 2.0 1700000000000\n'
    assert parse(strange.encode()) == Figures(running=2)


@pytest.mark.parametrize(
    "line",
    [
        b"vllm:num_requests_running{ 5",
        b"vllm:num_requests_running",
        b'vllm:num_requests_running{a="b} 5',
        b"vllm:num_requests_running NaN",
        b"vllm:num_requests_running +Inf",
        b"vllm:num_requests_running -4",
        b"vllm:num_requests_running five",
        b'vllm:num_requests_running{a="\xff\xfe"} 5',
        b'vllm:num_requests_running{a="' + b"x" * LONGEST_LINE + b'"} 5',
    ],
)
def test_a_line_that_cannot_be_believed_takes_no_other_one_with_it(line: bytes) -> None:
    assert parse(line + b"\n") is None
    assert parse(line + b"\n" + pages.VLLM) == parse(pages.VLLM)


def test_a_share_of_more_than_all_and_a_count_beyond_all_numbers_are_unknown() -> None:
    page = b"vllm:kv_cache_usage_perc 37.5\nvllm:prompt_tokens_total 1e300\nvllm:num_requests_running 1\n"
    assert parse(page) == Figures(running=1)


def test_a_page_of_endless_lines_is_read_up_to_a_bound() -> None:
    found = parse(b"vllm:num_requests_running 1\n" * (3 * MOST_LINES))
    assert found == Figures(running=MOST_LINES)


_LINES = st.tuples(st.sampled_from(_NAMES).map(str.encode), st.binary(max_size=60)).map(b"".join)


@given(st.one_of(st.binary(max_size=500), st.lists(_LINES, max_size=8).map(b"\n".join)))
def test_no_bytes_whatever_break_it(page: bytes) -> None:
    found = parse(page)
    if found is None:
        return
    counts = (found.running, found.waiting, found.preemptions, found.prompt_tokens, found.generation_tokens)
    assert all(count is None or 0 <= count <= 2**53 for count in counts)
    assert found.kv_use is None or 0 <= found.kv_use <= 1


_TEXT = st.text('{}"\\,= #\n\t.0123456789eE+-NaInfxé', max_size=60)


@given(st.lists(st.tuples(st.sampled_from(_NAMES), _TEXT).map("".join), max_size=8).map("\n".join))
def test_no_text_in_the_signs_of_the_format_breaks_it(page: str) -> None:
    parse(page.encode())


@pytest.mark.skipif(
    not (_RECORDINGS / "vllm-metrics.txt").is_file(),
    reason="SLIPWAY_TEST_RECORDINGS names no folder with recorded pages of a real vLLM",
)
def test_recorded_pages_of_a_real_vllm_are_read() -> None:
    busy = parse((_RECORDINGS / "vllm-metrics-busy.txt").read_bytes())
    assert busy == Figures(4, 19, 0.00659340659340657, 2080, 4065, 0, 4065, 1922)
    idle = parse((_RECORDINGS / "vllm-metrics.txt").read_bytes())
    assert idle is not None
    assert (idle.running, idle.waiting, idle.kv_use) == (0, 0, 0.0)
    assert idle.generation_tokens is not None
    assert busy.generation_tokens is not None
    assert idle.generation_tokens > busy.generation_tokens

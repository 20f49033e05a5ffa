"""Two people change the same revision at once: neither change takes the other back, and what both touched is named."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from deployments import document
from deployments.history import changes
from deployments.history.merging import merged
from deployments.spec import DeploymentSpec, EngineSpec, Variable
from deployments.vocabulary import Engine

BEGUN = DeploymentSpec("chat", "llama", "main", EngineSpec(Engine.VLLM, "vllm/vllm-openai", "v0.33.0"))
PLAIN = st.recursive(
    st.none() | st.integers(0, 3) | st.sampled_from("ab"),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["x", "y", "kind"]), inner, max_size=3)
    ),
    max_leaves=8,
)


def of(**changes: Any) -> dict[str, Any]:
    return document.to_mapping(replace(BEGUN, **changes))


def engine(**changes: Any) -> EngineSpec:
    return replace(BEGUN.engine, **changes)


@given(PLAIN, PLAIN)
def test_one_change_alone_stays_as_it_is(begun: Any, changed: Any) -> None:
    assert merged(begun, changed, begun) == changed
    assert merged(begun, begun, changed) == changed
    assert merged(begun, changed, changed) == changed


def test_two_fields_of_one_part_are_both_kept() -> None:
    theirs, mine = of(engine=engine(replicas=3)), of(engine=engine(tag="v0.32.0"))
    assert merged(of(), theirs, mine) == of(engine=engine(replicas=3, tag="v0.32.0"))


def test_of_a_field_that_both_changed_mine_stays() -> None:
    theirs, mine = of(engine=engine(tag="v0.31.0")), of(engine=engine(tag="v0.32.0"))
    assert merged(of(), theirs, mine) == mine


def test_variables_are_merged_by_name() -> None:
    begun = of(environment=(Variable("A", "1"), Variable("B", "1")))
    theirs = of(environment=(Variable("A", "2"), Variable("B", "1"), Variable("C", "3")))
    mine = of(environment=(Variable("A", "1"), Variable("D", secret=True)))
    assert merged(begun, theirs, mine)["spec"]["environment"] == [
        {"name": "A", "value": "2"},
        {"name": "C", "value": "3"},
        {"name": "D", "secret": True},
    ]


def test_fields_of_another_engine_are_not_mixed() -> None:
    theirs = of(engine=engine(tag="v0.31.0"))
    nim = {"kind": "nim", "image": "nvcr.io/nim/meta/llama", "tag": "2.1.5", "profile": "tp2"}
    mine = of()
    mine["spec"]["engine"] = nim
    assert merged(of(), theirs, mine)["spec"]["engine"] == nim


def test_what_both_changed_comes_first_and_says_so() -> None:
    theirs = of(engine=engine(tag="v0.31.0", replicas=2), description="Theirs")
    mine = of(engine=engine(tag="v0.32.0", volume="200Gi"))
    found = changes.three_way(of(), theirs, mine)
    assert [(clash.label, clash.begun, clash.theirs, clash.mine, clash.is_both) for clash in found] == [
        ("Image tag", "v0.33.0", "v0.31.0", "v0.32.0", True),
        ("Description", "Not set", "Theirs", "Not set", False),
        ("Replicas", "1", "2", "1", False),
        ("Volume per replica", "100Gi", "100Gi", "200Gi", False),
    ]


def test_the_same_change_by_both_is_no_clash() -> None:
    both = of(engine=engine(tag="v0.32.0"))
    (clash,) = changes.three_way(of(), both, both)
    assert (clash.by_them, clash.by_me, clash.is_both) == (True, True, False)


def test_new_values_of_one_secret_are_a_clash_without_the_values() -> None:
    begun = of(environment=(Variable("TOKEN", secret=True),))
    names = frozenset({"TOKEN"})
    (clash,) = changes.three_way(begun, begun, begun, their_secrets=names, my_secrets=names)
    assert (clash.code, clash.begun, clash.theirs, clash.mine, clash.is_both) == (
        "TOKEN",
        "Secret",
        "New secret value",
        "Your new secret value",
        True,
    )


def test_half_filled_rows_of_a_draft_are_passed_over() -> None:
    mine = of()
    mine["spec"]["environment"] = [{"value": "1"}, "odd", {"name": None}]
    assert changes.three_way(of(), of(), mine) == []

"""Each rule takes whatever comes in and gives the typed value, or a sentence."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.document import rules
from deployments.document.rules import Refused
from deployments.vocabulary import Engine

percent = rules.whole(1, 100, "percent")
engine = rules.choice(Engine)
RULES: list[Callable[[Any], Any]] = [
    *[rules.deployment_name, rules.slug, rules.description, rules.image, rules.tag, percent, rules.flag],
    *[engine, rules.cpu, rules.memory, rules.storage, rules.gpu_resource, rules.label_value],
    *[rules.argument, rules.variable_name, rules.variable_value, rules.currency, rules.price],
    rules.optional(rules.cpu),
]


@pytest.mark.parametrize(
    ("rule", "raw", "value"),
    [
        (rules.deployment_name, " chat ", "chat"),
        (rules.deployment_name, "0", "0"),
        (rules.deployment_name, 7, "7"),
        (rules.deployment_name, "a" * 48, "a" * 48),
        (rules.slug, "meta-llama/Llama-3.1_8B", "meta-llama/Llama-3.1_8B"),
        (rules.description, "two\nlines\tand é 漢 🙂", "two\nlines\tand é 漢 🙂"),
        (rules.image, "vllm", "vllm"),
        (rules.image, "localhost/vllm", "localhost/vllm"),
        (rules.image, "registry:5000/a__b/c-d.e", "registry:5000/a__b/c-d.e"),
        (rules.image, "Registry.Example.com/a", "Registry.Example.com/a"),
        (rules.tag, "v0.33.0-cu129_1", "v0.33.0-cu129_1"),
        (rules.tag, "sha256:" + "0" * 64, "sha256:" + "0" * 64),
        (percent, "080", 80),
        (percent, " 1 ", 1),
        (percent, 100, 100),
        (rules.flag, False, False),
        (engine, "nim", Engine.NIM),
        (engine, Engine.VLLM, Engine.VLLM),
        (rules.optional(rules.cpu), "", None),
        (rules.optional(rules.cpu), None, None),
        (rules.cpu, "1m", "1m"),
        (rules.cpu, 1.5, "1.5"),
        (rules.cpu, "1024", "1024"),
        (rules.memory, "16Mi", "16Mi"),
        (rules.memory, "64Ti", "64Ti"),
        (rules.memory, 10**9, "1000000000"),
        (rules.storage, "1Pi", "1Pi"),
        (rules.gpu_resource, "nvidia.com/mig-4g.71gb", "nvidia.com/mig-4g.71gb"),
        (rules.label_value, "a" * 63, "a" * 63),
        (rules.argument, '{"a": "$(B) \'c\'"}', '{"a": "$(B) \'c\'"}'),
        (rules.variable_name, "_a1", "_a1"),
        (rules.variable_value, 1, "1"),
        (rules.variable_value, "", ""),
        (rules.currency, "eur", "EUR"),
        (rules.price, "0", Decimal(0)),
        (rules.price, 3, Decimal(3)),
        (rules.price, Decimal("0.15"), Decimal("0.15")),
        (rules.price, "0.000000000001", Decimal("1e-12")),
        (rules.price, "1000000", Decimal(10**6)),
    ],
)
def test_a_good_value_is_taken(rule: Callable[[Any], Any], raw: Any, value: Any) -> None:
    taken = rule(raw)
    assert taken == value
    assert type(taken) is type(value)


@pytest.mark.parametrize(
    ("rule", "raw"),
    [
        *[(rules.deployment_name, raw) for raw in ("", " ", "A", "a" * 49, "a/b", "a b", "é", "٣", True, b"a")],
        *[(rules.slug, raw) for raw in ("", "/a", ".a", "a b", "a" * 201, "ä", "a\0", {})],
        *[(rules.image, raw) for raw in ("", "a:b", "a@sha256:00", "/a", "a/", "A/b", "a//b", "a:5000", "a b")],
        *[(rules.tag, raw) for raw in ("", ".a", "-a", "a:b", "sha256:00", "a" * 129, "ü", None, [])],
        *[(percent, raw) for raw in ("", "0", 101, "1.0", 1.0, "1e1", "٣", "+1", "1_0", "- 1", True, None, "\0")],
        *[(rules.flag, raw) for raw in ("true", "on", 1, 0, None, "")],
        *[(engine, raw) for raw in ("", "VLLM", "vLLM", None, 1, ["vllm"], {"vllm": 1})],
        *[(rules.cpu, raw) for raw in ("-1", "0", "0.1m", "1025", "4 cores", "1e9", "nan", True, None)],
        *[(rules.memory, raw) for raw in ("1Gb", "-1", "1e9Gi", "1", "65Ti", "16.0000001Mi", "24 Gi", "24gi")],
        *[(rules.storage, raw) for raw in ("1Mi", "2Pi", "0", "100GB", [])],
        *[(rules.gpu_resource, raw) for raw in ("gpu", "/gpu", "a.com/", "a/b/c", "N.com/gpu", "a.com/" + "b" * 64)],
        *[(rules.label_value, raw) for raw in ("", "-a", "a-", "a b", "a" * 64)],
        *[(rules.argument, raw) for raw in ("", "  ", "a\nb", "a" * 4097, "a\x7f", "\ud800", None)],
        *[(rules.variable_name, raw) for raw in ("", "1A", "A.B", "A B", "A=", "Ä", "A" * 129)],
        *[(rules.variable_value, raw) for raw in (True, None, [], "a\0", "a" * 32_769)],
        *[(rules.currency, raw) for raw in ("", "EURO", "BTC", "€", None)],
        *[
            (rules.price, raw)
            for raw in ("", "-1", "-0.1", "1e3", ".5", "5.", "1,5", "٣", "nan", "1000001", 0.15, True, None)
        ],
        (rules.price, "0.1234567890123"),
        (rules.price, "1.0000000000000"),
    ],
)  # fmt: skip
def test_a_bad_value_is_refused(rule: Callable[[Any], Any], raw: Any) -> None:
    with pytest.raises(Refused):
        rule(raw)


@pytest.mark.parametrize(
    ("request_", "limit", "covered"),
    [
        ("1Gi", "1024Mi", True),
        ("1", "1000m", True),
        ("1Gi", "1G", False),
        ("1001m", "1", False),
        ("4", None, True),
    ],
)
def test_a_limit_covers_its_request_by_value(request_: str, limit: str | None, covered: bool) -> None:
    try:
        rules.limit_covers(request_, limit)
    except Refused:
        assert not covered
    else:
        assert covered


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain é", "plain é"),
        ("a\0b\x1b\n\ud800\u202e", "a�b����"),
        (["a"], "…"),
        ({}, "…"),
        (-(10**60), "…"),
        (-1.5, "-1.5"),
        (None, "None"),
        ("x" * 50, "x" * 40),
    ],
)
def test_any_value_can_stand_in_a_sentence(raw: Any, shown: str) -> None:
    assert rules.shown(raw, 40) == shown


@given(
    st.sampled_from(RULES),
    st.text(max_size=300)
    | st.text("0123456789.-eEGiMm", max_size=30)
    | st.integers()
    | st.floats()
    | st.booleans()
    | st.decimals()
    | st.binary(max_size=9)
    | st.lists(st.text(max_size=3), max_size=2),
)
def test_a_rule_knows_only_values_and_refusals(rule: Callable[[Any], Any], raw: Any) -> None:
    try:
        value = rule(raw)
    except Refused as refused:
        sentence = str(refused)
    else:
        # What a rule gives, it takes again as it is.
        assert rule(value) == value
        return
    assert sentence.encode()
    assert len(sentence) < 500
    assert sentence.endswith(".")

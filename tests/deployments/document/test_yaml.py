"""YAML as people mean it: plain values and nothing that unfolds, hides or turns into something else."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from deployments import document
from deployments.document import InvalidDocument, Problem, parts
from deployments.document.plain_yaml import PlainLoader
from tests.deployments.document.examples import COMPLETE
from tests.deployments.document.test_round_trip import SHORTEST


def refusal(text: str | bytes) -> list[Problem]:
    with pytest.raises(InvalidDocument) as caught:
        document.read(text)
    return caught.value.problems


@pytest.mark.parametrize(
    "written", ["1.10", "0644", "1_000", "2026-11-23", "0x10", "1e3", "007", "190:20:30", ".inf", "+1"]
)
def test_what_looks_like_a_number_or_date_stays_as_written(written: str) -> None:
    variable = document.read(SHORTEST + f"  environment: [{{name: A, value: {written}}}]\n").environment[0]
    assert variable.value == written


@pytest.mark.parametrize("tag", ["1.10", "0644", "2026-11-23", "1e3", "1_000"])
def test_a_tag_like_a_number_stays_as_written(tag: str) -> None:
    assert document.read(SHORTEST.replace("tag: v1", f"tag: {tag}")).engine.tag == tag


def test_a_price_without_quotes_is_exact() -> None:
    pricing = document.read(
        SHORTEST + "  pricing: {inputPerMillion: 0.150000000001, outputPerMillion: 1}\n"
    ).pricing
    assert pricing is not None
    assert str(pricing.input_per_million) == "0.150000000001"


def test_truth_and_nothing_are_still_values() -> None:
    text = SHORTEST + "  autoscaling: {enabled: true}\n  resources: {gpu: {product: null}}\n  pricing: ~\n"
    spec = document.read(text)
    assert (spec.autoscaling.enabled, spec.resources.gpu.product, spec.pricing) == (True, None, None)


def test_a_bomb_of_aliases_is_refused_at_its_first_alias() -> None:
    rows = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    rows += [
        f"{after}: &{after} [{', '.join([f'*{before}'] * 9)}]"
        for before, after in zip("abcdefgh", "bcdefghi", strict=True)
    ]
    [problem] = refusal("\n".join(rows))
    assert problem == Problem(
        "document", "This is not YAML that can be read at line 2: aliases are not allowed."
    )


@pytest.mark.parametrize("text", ["&a [*a]", "a: &a 1\nb: *a", "? *a\n: 1", "<<: *a"])
def test_no_alias_is_followed(text: str) -> None:
    assert "aliases are not allowed" in refusal(text)[0].message


def test_merge_keys_merge_nothing() -> None:
    [problem] = refusal(SHORTEST + "<<: {apiVersion: slipway/v2}\n")
    assert problem.path == "<<"


@pytest.mark.parametrize(
    "tagged",
    [
        "!!python/object/apply:os.system [id]",
        "!!bool x",
        "!!timestamp x",
        "!!int x",
        "!!binary aGk=",
        "!!set {a}",
        "!own x",
    ],
)
def test_no_tag_is_followed(tagged: str) -> None:
    [problem] = refusal(SHORTEST.replace("tag: v1", f"tag: {tagged}"))
    assert problem.message == "This is not YAML that can be read at line 7: tags are not allowed."


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        (SHORTEST + "kind: Other\n", 8, "kind"),
        (SHORTEST + "  model: other\n", 8, "model"),
        (SHORTEST.replace("{tag: v1}", "{tag: v1, tag: v2}"), 7, "tag"),
    ],
)
def test_a_key_that_stands_twice_is_refused_at_every_level(text: str, line: int, key: str) -> None:
    [problem] = refusal(text)
    assert problem.message == f"This is not YAML that can be read at line {line}: the key {key} stands twice."


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: [1", "but got '<stream end>'"),
        ("a: 1\n---\nb: 1", "found another document"),
        ("a: \0", "special characters are not allowed"),
        ("a: \ud800", "special characters are not allowed"),
        (b"\x80", "invalid start byte"),
        ("? [a]\n: 1", "unhashable"),
        ("[" * 20_000, "cannot be parsed"),
        ("{a: " * 20_000, "cannot be parsed"),
    ],
)
def test_what_is_no_plain_yaml_says_why(text: str | bytes, reason: str) -> None:
    [problem] = refusal(text)
    assert problem.path == "document"
    assert reason in problem.message


@pytest.mark.parametrize("text", ["", "null", "- a", "text", "# nothing"])
def test_a_document_that_is_no_mapping_is_refused(text: str) -> None:
    assert "document" in {problem.path for problem in refusal(text)}


def test_a_document_that_is_too_large_is_not_even_parsed() -> None:
    largest = document.LARGEST_DOCUMENT
    assert document.read(COMPLETE + "#" * (largest - len(COMPLETE))).name == "support-bot"
    [problem] = refusal(COMPLETE + "#" * (largest - len(COMPLETE) + 1))
    assert problem == Problem("document", "It is larger than 256 KiB.")


def test_many_unknown_keys_are_counted_instead_of_listed() -> None:
    found = refusal(SHORTEST + "".join(f"key{number}: 1\n" for number in range(1000)))
    assert len(found) == parts.MOST_UNKNOWN_KEYS + 1
    assert found[-1] == Problem("document", "980 more keys are not known here.")


@pytest.mark.parametrize("key", ['"\\ud800"', '"a\\0b"', '"\\x1b[31m"', "k" * 900])
def test_a_sentence_about_an_odd_key_can_be_sent_and_shown(key: str) -> None:
    for text in (SHORTEST + f"{key}: 1\n", SHORTEST + f"{key}: 1\n{key}: 2\n"):
        for problem in refusal(text):
            assert str(problem).encode().decode().isprintable()
            assert len(str(problem)) < 350


@given(st.text(max_size=80) | st.binary(max_size=40))
def test_any_text_is_a_spec_or_a_list_of_problems(text: str | bytes) -> None:
    assert refusal(text)


def test_the_loader_makes_only_plain_values() -> None:
    text = "{a: 1, b: 1.5, c: [yes, ~, 2026-01-01], d: {e: 'f'}, g: !!str 1, h: ! i}"
    assert yaml.load(text, Loader=PlainLoader) == {
        "a": "1",
        "b": "1.5",
        "c": [True, None, "2026-01-01"],
        "d": {"e": "f"},
        "g": "1",
        "h": "i",
    }

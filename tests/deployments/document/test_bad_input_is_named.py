"""Every value that cannot be used is named by its path, with a sentence that says what to do."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments import document
from deployments.document import InvalidDocument
from tests.deployments.document.examples import complete, problems, put


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("apiVersion", "v1", "Write apiVersion: slipway/v1."),
        ("kind", "Deployment", "Write kind: ModelDeployment."),
        ("metadata", None, "is missing"),
        ("spec", None, "is missing"),
        ("metadata.name", None, "A value is needed here."),
        ("metadata.name", 10**60, "This number is too long."),
        ("metadata.name", "Chat", "is not a DNS label"),
        ("metadata.name", "a_b", "is not a DNS label"),
        ("metadata.name", "-a", "is not a DNS label"),
        ("metadata.name", "a-", "is not a DNS label"),
        ("metadata.name", "a.b", "is not a DNS label"),
        ("metadata.name", "ä", "is not a DNS label"),
        ("metadata.name", "a" * 49, "49 characters are too long. Use at most 48."),
        ("metadata.name", "a\0b", "Control characters are not allowed here."),
        ("metadata.name", "a\nb", "Write this in one line."),
        ("metadata.description", "x" * 501, "501 characters are too long. Use at most 500."),
        ("metadata.description", "\ud800", "not valid Unicode"),
        ("spec.model", "", "A value is needed here."),
        ("spec.model", "a b", "is not a name"),
        ("spec.endpoint", ["main"], "This must be text."),
        ("spec.engine", None, "is missing"),
        ("spec.engine.kind", "tgi", "“tgi” is not known. Choose one of: vllm, nim, dynamo."),
        ("spec.engine.image", "vllm/vllm-openai:v1", "has a tag or digest"),
        ("spec.engine.image", "VLLM/openai", "is not an image name"),
        ("spec.engine.tag", "a b", "is not an image tag"),
        ("spec.engine.replicas", 0, "0 is out of range. Enter 1 to 64 replicas."),
        ("spec.engine.replicas", 65, "65 is out of range. Enter 1 to 64 replicas."),
        ("spec.engine.replicas", -1, "-1 is out of range"),
        ("spec.engine.replicas", 1.0, "is not a whole number of replicas"),
        ("spec.engine.replicas", True, "is not a whole number of replicas"),
        ("spec.engine.volume", "1Gb", "“1Gb” is not a quantity. Enter 1Gi to 1Pi, such as 100Gi."),
        ("spec.engine.volume", "1e9Gi", "“1e9Gi” is not a quantity"),
        ("spec.engine.volume", "1Mi", "1Mi is out of range"),
        ("spec.engine.arguments", "--seed=1", "This must be a list."),
        ("spec.engine.arguments", ["--seed=1"] * 201, "201 entries are too many. At most 200 are allowed."),
        ("spec.resources", [], "must be a mapping"),
        ("spec.resources.requests.cpu", "-1", "“-1” is not a quantity"),
        ("spec.resources.requests.cpu", "0.0005", "is out of range"),
        ("spec.resources.requests.cpu", "1.0005", "is too fine"),
        ("spec.resources.requests.memory", "1Gb", "“1Gb” is not a quantity. Enter 16Mi to 64Ti"),
        ("spec.resources.requests.memory", "1e9Gi", "“1e9Gi” is not a quantity"),
        ("spec.resources.requests.memory", "99Ei", "99Ei is out of range"),
        ("spec.resources.limits.memory", "8Gi", "8Gi is below the request of 16Gi. Enter 16Gi or more."),
        ("spec.resources.limits.cpu", "100m", "100m is below the request of 500m. Enter 500m or more."),
        ("spec.resources.gpu.count", 0, "0 is out of range. Enter 1 to 16 GPUs per replica."),
        ("spec.resources.gpu.count", 17, "17 is out of range"),
        ("spec.resources.gpu.resource", "gpu", "is not a resource name"),
        ("spec.resources.gpu.product", "two words", "is not a label value"),
        ("spec.autoscaling.enabled", "on", "Write true or false."),
        ("spec.autoscaling.threshold", 0, "0 is out of range. Enter 1 to 100 percent."),
        ("spec.autoscaling.threshold", 10**60, "“…” is not a whole number of percent."),
        ("spec.autoscaling.threshold", 101, "101 is out of range. Enter 1 to 100 percent."),
        ("spec.autoscaling.maxReplicas", 1, "1 is below the minimum of 2. Enter 2 or more."),
        ("spec.autoscaling.metric", "gpu", "Choose one of: cpu, memory, "),
        ("spec.environment", {"A": "b"}, "This must be a list."),
        ("spec.environment", [{"name": f"A{n}"} for n in range(101)], "101 entries are too many"),
        ("spec.rateLimits.user", {"tokensPerMinute": 0}, ""),
        ("spec.pricing.currency", "BTC", "“BTC” is not offered"),
        ("spec.pricing.inputPerMillion", None, "A value is needed here."),
        ("spec.pricing.inputPerMillion", "-0.01", "-0.01 is negative. Enter 0 or more."),
        ("spec.pricing.inputPerMillion", "0.1234567890123", "more than 12 decimals. Round it to 12."),
        ("spec.pricing.inputPerMillion", 0.15, "Write the price in quotes"),
        ("spec.pricing.outputPerMillion", "1000000.01", "is too high"),
        ("spec.pricing.outputPerMillion", "1e3", "is not a price"),
        ("spec.pricing.cachedInputPerMillion", "-1", "-1 is negative. Enter 0 or more."),
        ("spec.pricing.cachedInputPerMillion", 0.15, "Write the price in quotes"),
        ("spec.sharing.mode", "everyone", "Choose one of: private, all, selected."),
        ("spec.sharing.mode", ["all"], "is not known"),
    ],
)
def test_each_bad_value_is_named(path: str, value: Any, message: str) -> None:
    found = problems(put(path, value))
    place = path if path != "spec.rateLimits.user" else f"{path}.tokensPerMinute"
    assert place in found
    assert message in found[place]


@pytest.mark.parametrize(
    ("section", "at"),
    [
        (None, ""),
        ("metadata", "metadata."),
        ("spec", "spec."),
        ("spec.engine", "spec.engine."),
        ("spec.resources", "spec.resources."),
        ("spec.resources.requests", "spec.resources.requests."),
        ("spec.resources.gpu", "spec.resources.gpu."),
        ("spec.autoscaling", "spec.autoscaling."),
        ("spec.rateLimits", "spec.rateLimits."),
        ("spec.rateLimits.apiKey", "spec.rateLimits.apiKey."),
        ("spec.pricing", "spec.pricing."),
        ("spec.sharing", "spec.sharing."),
    ],
)
def test_an_unknown_key_is_named_at_every_level(section: str | None, at: str) -> None:
    found = problems(put(f"{section}.replica" if section else "replica", 1))
    assert list(found) == [f"{at}replica"]
    assert found[f"{at}replica"].startswith("This key is not known here. Known: ")


@pytest.mark.parametrize(
    ("rows", "path", "message"),
    [
        ([{"name": "A"}, {"name": "A"}], "[1].name", "A is set twice. Remove one of the two."),
        ([{"name": "PATH", "value": "/x"}], "[0].name", "PATH: It changes which code"),
        ([{"name": "HF_HOME"}], "[0].name", "HF_HOME: Slipway sets it"),
        ([{"name": "1A"}], "[0].name", "is not a variable name"),
        ([{"name": "A-B"}], "[0].name", "is not a variable name"),
        ([{"value": "x"}], "[0].name", "A value is needed here."),
        ([{"name": "A", "value": "a\0b"}], "[0].value", "Control characters"),
        ([{"name": "A", "value": True}], "[0].value", "Put the value in quotes"),
        ([{"name": "A", "value": "x", "secret": True}], "[0].value", "A secret's value does not belong in"),
        ([{"name": "A", "secret": "true"}], "[0].secret", "Write true or false."),
        ([{"name": "A", "valueFrom": {}}], "[0].valueFrom", "This key is not known here."),
        (["A=b"], "[0]", "must be a mapping"),
    ],
)
def test_each_bad_variable_is_named(rows: list[Any], path: str, message: str) -> None:
    assert message in problems(put("spec.environment", rows))[f"spec.environment{path}"]


def test_a_secret_value_in_a_document_is_not_repeated() -> None:
    row = {"name": "HF_TOKEN", "secret": True, "value": "canary-secret"}
    assert "canary-secret" not in str(problems(put("spec.environment", [row])))


@pytest.mark.parametrize(
    ("arguments", "gpus", "index", "message"),
    [
        (["--tensor-parallel-size=4"], 2, 0, "is 4 × 1 × 1 = 4, but a replica has 2 GPUs"),
        (["--seed", "1", "-tp", "2"], 1, 2, "but a replica has 1 GPU."),
        (["--model=other"], 1, 0, "--model cannot be set here."),
        (["--api-key", "x"], 1, 0, "--api-key cannot be set here."),
    ],
)
def test_arguments_are_judged_against_the_gpus(
    arguments: list[str], gpus: int, index: int, message: str
) -> None:
    raw = put("spec.engine.arguments", arguments)
    raw["spec"]["resources"]["gpu"]["count"] = gpus
    found = problems(raw)
    assert list(found) == [f"spec.engine.arguments[{index}]"]
    assert message in found[f"spec.engine.arguments[{index}]"]


def test_organisations_are_only_listed_when_some_are_selected() -> None:
    found = problems(put("spec.sharing", {"mode": "all", "organizations": ["acme"]}))
    assert list(found) == ["spec.sharing.organizations"]


def test_numbers_that_python_will_not_write_out_are_named() -> None:
    for path in ("metadata.name", "spec.engine.replicas", "spec.engine.kind", "spec.pricing.inputPerMillion"):
        assert path in problems(put(path, 10**5000))
    assert problems({10**5000: 1})["…"].startswith("This key is not known here.")


def test_every_problem_is_told_at_once() -> None:
    raw = put("metadata.name", "A B")
    raw["spec"]["engine"]["tag"] = None
    raw["spec"]["autoscaling"]["threshold"] = 200
    raw["spec"]["environment"].append({"name": "PATH"})
    assert set(problems(raw)) == {
        "metadata.name",
        "spec.engine.tag",
        "spec.autoscaling.threshold",
        "spec.environment[2].name",
    }


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=20)
    | st.sampled_from([10**60, -(10**60), math.inf, math.nan, "", "\ud800", "\0", "1Gi", "v1"])
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)


def paths(raw: object, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(raw, dict):
        inner = [found for key, value in raw.items() for found in paths(value, (*at, key))]
    elif isinstance(raw, list):
        inner = [found for index, value in enumerate(raw) for found in paths(value, (*at, index))]
    else:
        inner = []
    return [at, *inner] if at else inner


PLACES = paths(complete())


def judged(raw: object) -> None:
    """A spec, which can be written and read, or problems that can be shown."""
    try:
        spec = document.from_mapping(raw)
    except InvalidDocument as invalid:
        sentences = str(invalid)
    else:
        assert document.from_mapping(document.to_mapping(spec)) == spec
        return
    assert 0 < len(sentences.encode()) < 60_000


@given(JSON)
def test_any_json_is_a_spec_or_a_list_of_problems(raw: object) -> None:
    judged(raw)


@given(st.sampled_from(PLACES), JSON)
def test_any_json_at_any_place_is_taken_or_named(place: tuple[Any, ...], value: object) -> None:
    raw: Any = complete()
    inner = raw
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    judged(raw)

"""Every engine has all that CONTRIBUTING.md lists, so that a fourth one is not half there."""

import re
from pathlib import Path

import pytest

from deployments.diagnosis.logs import recognise
from deployments.document.engine import OWN_KEYS
from deployments.engines import environment
from deployments.engines.judging import reserved
from deployments.manifests import render
from deployments.readers import READERS
from deployments.sandbox.nodes import launch
from deployments.spec import EngineSpec
from deployments.vocabulary import Engine
from deployments.wizard.forms.engines import ENGINE_FORMS
from tests.deployments.manifests.all_cases import CASES

PROJECT = Path(__file__).parents[3]
#: A line of each engine's log that people have to understand.
LAST_LINES = {
    Engine.VLLM: "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB",
    Engine.NIM: "ERROR: Detected 0 compatible profile(s).",
    Engine.DYNAMO: "dynamo.vllm: error: unrecognized arguments: --max-len",
}
SIMPLEST = {
    Engine.VLLM: "vllm-simplest",
    Engine.NIM: "nim-2",
    Engine.DYNAMO: "dynamo-v1beta1-aggregated-vllm",
}


def listed() -> list[str]:
    """The files that the list names, some with <engine> in their names."""
    text = (PROJECT / "CONTRIBUTING.md").read_text().partition("## A new engine touches")[2]
    numbered = "\n".join(re.findall(r"^\d+\. .*$", text, re.MULTILINE))
    return re.findall(r"`([\w./<>*-]+/[\w./<>*-]*)`", numbered)


def missing(engine: str) -> list[str]:
    """The files of the list that this engine lacks."""
    names = (pattern.replace("<engine>", engine) for pattern in listed())
    return [name for name in names if not any(PROJECT.glob(name))]


@pytest.mark.parametrize("engine", Engine)
def test_every_file_that_the_list_names_is_there(engine: Engine) -> None:
    assert missing(engine.value) == []


def test_what_a_fourth_engine_lacks_is_named() -> None:
    assert missing("fourth") == [
        "deployments/manifests/fourth.py",
        "deployments/readers/fourth.py",
        "deployments/wizard/forms/engines/fourth.py",
        "templates/deployments/wizard/engines/fourth.html",
        "tests/deployments/manifests/golden/fourth-*.yaml",
        "deployments/sandbox/engines/fourth_boot.py",
    ]


@pytest.mark.parametrize("engine", Engine)
def test_every_engine_is_registered_where_engines_are_told_apart(engine: Engine) -> None:
    assert engine in READERS
    assert engine in ENGINE_FORMS
    assert engine in OWN_KEYS
    spec, context = CASES[SIMPLEST[engine]]
    assert spec.engine.kind is engine
    assert render(spec, context)


@pytest.mark.parametrize("engine", Engine)
def test_every_engine_says_what_it_refuses(engine: Engine) -> None:
    own = [rule for rule in environment.RULES if engine in rule.engines and set(rule.engines) != set(Engine)]
    assert any(rule.refused for rule in own)
    spec: EngineSpec = CASES[SIMPLEST[engine]][0].engine
    assert reserved(spec)


@pytest.mark.parametrize("engine", Engine)
def test_the_failures_of_every_engine_are_explained(engine: Engine) -> None:
    found = recognise([LAST_LINES[engine]], engine)
    assert found is not None
    assert found[0].remedy


@pytest.mark.parametrize("engine", Engine)
def test_the_sandbox_starts_every_engine(engine: Engine) -> None:
    assert callable(getattr(launch, f"{engine.value}_boot", None))

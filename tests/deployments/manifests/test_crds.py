"""The kinds of operators against their own definitions, where a folder with those is at hand.

SLIPWAY_TEST_CRDS names the folder; else it is looked for beside the repository. It is not part of it: the definitions
belong to their projects.
"""

import os
from pathlib import Path
from typing import Any

import pytest

from deployments.manifests import render
from tests.deployments.manifests.all_cases import CASES
from tests.deployments.manifests.validation import SCHEMAS, crd_schema

BESIDE = Path(__file__).parents[4] / "shared" / "reference" / "crds"
FOLDER = Path(os.environ.get("SLIPWAY_TEST_CRDS") or BESIDE)
OF_OPERATORS = {tuple(file.stem.rsplit("-", 1)) for file in SCHEMAS.glob("*.yaml")}

pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(),
    reason="SLIPWAY_TEST_CRDS names no folder with custom resource definitions, and there is none beside",
)


def is_of_an_operator(made: dict[str, Any]) -> bool:
    return (made["kind"], made["apiVersion"].rpartition("/")[2]) in OF_OPERATORS


CHECKED = [name for name, case in CASES.items() if any(map(is_of_an_operator, render(*case)))]


@pytest.mark.parametrize("case", CHECKED)
def test_the_definition_knows_every_field(case: str) -> None:
    for made in filter(is_of_an_operator, render(*CASES[case])):
        schema = crd_schema(FOLDER, made["apiVersion"], made["kind"])
        found = [f"{error.json_path}: {error.message}" for error in schema.iter_errors(made)]
        assert found == []


def test_a_field_that_a_definition_does_not_know_is_found() -> None:
    made = next(filter(is_of_an_operator, render(*CASES["nim-operator"])))
    made["spec"]["image"]["pullsecrets"] = []
    schema = crd_schema(FOLDER, made["apiVersion"], made["kind"])
    assert any("pullsecrets" in error.message for error in schema.iter_errors(made))

"""Every object of every case is what was reviewed. SLIPWAY_WRITE_GOLDEN=1 writes the files anew."""

import os
from pathlib import Path

import pytest
import yaml

from deployments.manifests import render
from tests.deployments.manifests.all_cases import CASES

GOLDEN = Path(__file__).parent / "golden"


def text(case: str) -> str:
    return yaml.safe_dump_all(render(*CASES[case]), sort_keys=False, explicit_start=True, width=120)


@pytest.mark.parametrize("case", CASES)
def test_the_objects_are_those_of_the_golden_file(case: str) -> None:
    file = GOLDEN / f"{case}.yaml"
    if os.environ.get("SLIPWAY_WRITE_GOLDEN") == "1":
        file.write_text(text(case))
    assert text(case) == file.read_text()


def test_every_golden_file_belongs_to_a_case() -> None:
    assert {file.stem for file in GOLDEN.glob("*")} == set(CASES)


def test_rendering_twice_gives_equal_objects_that_share_nothing() -> None:
    first, second = render(*CASES["vllm-autoscaled"]), render(*CASES["vllm-autoscaled"])
    assert first == second
    first[-1]["metadata"]["labels"].clear()
    assert all(made["metadata"]["labels"] for made in [*first[:-1], *second])
    assert "&id" not in "".join(map(text, CASES))

"""`apply --wait`, `export`, and applying the export: the same rollout without a browser."""

import pytest
import yaml

from tests.journeys.conftest import Stack

pytestmark = pytest.mark.xdist_group("journeys")  # one stack for all of them

DOCUMENT = {
    "apiVersion": "slipway/v1",
    "kind": "ModelDeployment",
    "metadata": {"name": "by-command"},
    "spec": {
        "model": "opt-125m",
        "endpoint": "main",
        "engine": {"kind": "vllm", "tag": "v0.33.0", "volume": "20Gi"},
    },
}


def test_apply_waits_and_the_export_applies_as_a_no_op(stack: Stack) -> None:
    applied = stack.manage("apply", "-", "--wait", given=yaml.safe_dump(DOCUMENT))
    assert applied.returncode == 0, applied.stderr
    assert "Serving" in applied.stdout

    exported = stack.manage("export", "by-command")
    assert exported.returncode == 0, exported.stderr
    again = stack.manage("apply", "-", given=exported.stdout)
    assert (again.returncode, again.stdout.strip()) == (0, "by-command unchanged")

    wrong = exported.stdout.replace("v0.33.0", "v9.9.9")
    failed = stack.manage("apply", "-", "--wait", given=wrong)
    assert failed.returncode == 1
    assert "the image or tag does not exist" in failed.stderr

    invalid = exported.stdout.replace("20Gi", "1Gb")
    refused = stack.manage("apply", "-", given=invalid)
    assert refused.returncode == 2
    assert refused.stderr.startswith("spec.engine.volume: ")

"""A cluster's facts survive being stored as JSON."""

import json

from deployments.facts import ClusterFacts
from tests.deployments.preflight.cases import FACTS, H100


def test_facts_come_back_from_json_as_they_were() -> None:
    assert ClusterFacts.from_mapping(json.loads(json.dumps(FACTS.to_mapping()))) == FACTS


def test_facts_of_an_older_version_are_read() -> None:
    facts = ClusterFacts.from_mapping(
        {"version": "v1.30.0", "gone": 1, "addons": {"gone": True, "keda": True}}
    )
    assert facts.version == "v1.30.0"
    assert facts.addons.keda
    assert facts.gpu_nodes == ()
    assert facts.checked_at is None


def test_nodes_are_chosen_by_resource_and_product() -> None:
    assert len(FACTS.offering("nvidia.com/gpu", None)) == 2
    assert len(FACTS.offering("nvidia.com/gpu", H100)) == 2
    assert FACTS.offering("nvidia.com/gpu", "NVIDIA-L40S") == ()
    assert FACTS.offering("amd.com/gpu", None) == ()

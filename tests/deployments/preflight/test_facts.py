"""A cluster's facts survive being stored as JSON."""

import json
from dataclasses import replace

from deployments.facts import Addons, ClusterFacts, Quota, Taint
from tests.deployments.preflight.cases import FACTS, H100


def test_facts_come_back_from_json_as_they_were() -> None:
    assert ClusterFacts.from_mapping(json.loads(json.dumps(FACTS.to_mapping()))) == FACTS


def test_taints_quotas_and_versions_come_back_too() -> None:
    node = replace(FACTS.gpu_nodes[0], taints=(Taint("team", "x"),), rdma=True)
    facts = replace(
        FACTS,
        gpu_nodes=(node,),
        quotas=(Quota("models", "gpus", {"pods": "4"}, {"pods": "1"}),),
        addons=Addons(dynamo_versions=("v1beta1",), nim_versions=("v1alpha1",), keda_versions=("v1alpha1",)),
    )
    assert ClusterFacts.from_mapping(json.loads(json.dumps(facts.to_mapping()))) == facts
    assert facts.quotas_of("models") == facts.quotas
    assert facts.quotas_of("other") == ()
    assert not facts.gpu_nodes[0].is_open


def test_facts_of_an_older_version_are_read() -> None:
    facts = ClusterFacts.from_mapping(
        {"version": "v1.30.0", "gone": 1, "addons": {"gone": True, "keda": True}}
    )
    assert facts.version == "v1.30.0"
    assert facts.addons.keda
    assert facts.gpu_nodes == ()
    assert facts.quotas is None
    assert facts.checked_at is None


def test_nodes_are_chosen_by_resource_and_product() -> None:
    assert len(FACTS.offering("nvidia.com/gpu", None)) == 2
    assert len(FACTS.offering("nvidia.com/gpu", H100)) == 2
    assert FACTS.offering("nvidia.com/gpu", "NVIDIA-L40S") == ()
    assert FACTS.offering("amd.com/gpu", None) == ()

"""A roll back wants the earlier document, save what cannot come back, and says what that is."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from deployments import quantity
from deployments.history.restoring import restored
from deployments.spec import (
    DeploymentSpec,
    DynamoSpec,
    EngineSpec,
    Limit,
    Pricing,
    RateLimits,
    SharingSpec,
)
from deployments.vocabulary import Engine, Sharing
from tests.deployments.document.examples import SPECS

EARLIER = DeploymentSpec(
    "chat", "llama", "main", EngineSpec(Engine.VLLM, "vllm/vllm-openai", "v0.32.0", volume="100Gi")
)
NOW = replace(
    EARLIER,
    engine=replace(EARLIER.engine, tag="v9.9.9", volume="200Gi"),
    rate_limits=RateLimits(user=Limit(requests_per_minute=60)),
    pricing=Pricing("USD", Decimal(1), Decimal(2)),
    sharing=SharingSpec(Sharing.SELECTED, ("acme",)),
)


def test_the_whole_document_comes_back_with_the_volume_of_today() -> None:
    found = restored(EARLIER, NOW)
    assert found.spec == replace(EARLIER, engine=replace(EARLIER.engine, volume="200Gi"))
    assert found.remarks == (
        "The volume of a replica stays at 200Gi: Kubernetes cannot shrink it back to 100Gi.",
    )


def test_a_larger_volume_comes_back_as_it_was() -> None:
    found = restored(NOW, EARLIER)
    assert (found.spec.engine.volume, found.remarks) == ("200Gi", ())


def test_a_volume_that_the_cluster_never_took_does_not_stay() -> None:
    assert restored(EARLIER, NOW, reached=EARLIER).spec.engine.volume == "100Gi"
    assert restored(EARLIER, EARLIER, reached=NOW).spec.engine.volume == "200Gi"


def test_dynamo_makes_its_volumes_with_each_pod() -> None:
    graphs = [
        replace(EARLIER, engine=EngineSpec(Engine.DYNAMO, "x", "1", volume=size, dynamo=DynamoSpec()))
        for size in ("100Gi", "200Gi")
    ]
    assert restored(*graphs).spec.engine.volume == "100Gi"


def test_the_volume_of_another_kind_of_workload_comes_back_as_it_was() -> None:
    graph = replace(NOW, engine=EngineSpec(Engine.DYNAMO, "x", "1", volume="200Gi", dynamo=DynamoSpec()))
    assert restored(EARLIER, graph).spec.engine.volume == "100Gi"


def test_todays_limits_price_and_sharing_may_stay() -> None:
    spec = restored(EARLIER, NOW, keep_terms=True).spec
    assert (spec.rate_limits, spec.pricing, spec.sharing) == (NOW.rate_limits, NOW.pricing, NOW.sharing)
    assert spec.engine.tag == "v0.32.0"


def test_sharing_stays_for_who_may_not_share_and_is_said() -> None:
    found = restored(EARLIER, NOW, keep_sharing=True)
    assert (found.spec.sharing, found.spec.pricing) == (NOW.sharing, None)
    assert "Sharing stays as it is today: your role does not include it." in found.remarks
    same = replace(EARLIER, sharing=NOW.sharing)
    assert all("Sharing" not in remark for remark in restored(same, NOW, keep_sharing=True).remarks)


@given(SPECS, SPECS, st.booleans(), st.booleans())
def test_what_a_deployment_keeps_is_never_undone(
    earlier: DeploymentSpec, now: DeploymentSpec, keep_terms: bool, keep_sharing: bool
) -> None:
    spec = restored(earlier, now, keep_terms=keep_terms, keep_sharing=keep_sharing).spec
    assert (spec.name, spec.model, spec.endpoint) == (now.name, now.model, now.endpoint)
    assert quantity.to_bytes(spec.engine.volume) >= quantity.to_bytes(now.engine.volume)
    assert replace(spec.engine, volume="") == replace(earlier.engine, volume="")

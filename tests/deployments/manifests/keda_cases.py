"""The deployments that are scaled by figures of their engine, whose objects are kept as golden files."""

from dataclasses import replace

from deployments.context import ClusterOffers, RenderContext
from deployments.spec import Autoscaling, DeploymentSpec, DynamoSpec, EngineSpec
from deployments.vocabulary import DynamoMode, Engine, ScalingMetric
from tests.deployments.manifests import cases, nim_cases

OFFERS = ClusterOffers(prometheus_url="http://prometheus.monitoring:9090")


def scaled(spec: DeploymentSpec, metric: ScalingMetric, threshold: int) -> DeploymentSpec:
    return replace(spec, autoscaling=Autoscaling(True, 1, 4, metric, threshold))


VLLM = replace(cases.CONTEXT, offers=OFFERS)
SPLIT = EngineSpec(
    Engine.DYNAMO,
    "nvcr.io/nvidia/ai-dynamo/vllm-runtime",
    "1.4.0",
    dynamo=DynamoSpec(DynamoMode.DISAGGREGATED),
)

CASES: dict[str, tuple[DeploymentSpec, RenderContext]] = {
    **{
        f"vllm-by-{metric.value}": (scaled(cases.SIMPLEST, metric, threshold), VLLM)
        for metric, threshold in (
            (ScalingMetric.REQUESTS_WAITING, 5),
            (ScalingMetric.CONCURRENCY, 32),
            (ScalingMetric.KV_CACHE, 80),
        )
    },
    "nim-by-requests-waiting": (
        scaled(nim_cases.NIM, ScalingMetric.REQUESTS_WAITING, 5),
        replace(nim_cases.CONTEXT, offers=OFFERS),
    ),
    "dynamo-by-requests-waiting": (
        scaled(replace(cases.SIMPLEST, engine=SPLIT), ScalingMetric.REQUESTS_WAITING, 5),
        VLLM,
    ),
}

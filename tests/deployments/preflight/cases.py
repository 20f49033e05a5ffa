"""A deployment, models and a cluster with which nothing is wrong; tests change one thing each."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from deployments.context import Exposure, ModelSource, SizingFacts
from deployments.facts import Addons, ClusterFacts, GpuNode, StorageClass
from deployments.quantity import GIBI
from deployments.spec import DeploymentSpec, EngineSpec, Pricing
from deployments.vocabulary import Engine, Routing

H100 = "NVIDIA-H100-80GB-HBM3"
NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)

LLAMA_8B = SizingFacts(
    parameters=8_030_000_000,
    bits_per_parameter=16,
    layers=32,
    attention_heads=32,
    kv_heads=8,
    head_size=128,
    context_length=131_072,
)
QWEN_32B = SizingFacts(
    parameters=32_800_000_000,
    bits_per_parameter=8,
    layers=64,
    attention_heads=64,
    kv_heads=8,
    head_size=128,
    context_length=40_960,
)
SOURCE = ModelSource("example/llama-8b", sizing=LLAMA_8B)
SPEC = DeploymentSpec(
    name="llama-8b",
    model="llama-8b",
    endpoint="main",
    engine=EngineSpec(Engine.VLLM, "vllm/vllm-openai", "v0.33.0"),
    pricing=Pricing("USD", Decimal("0.15"), Decimal("0.60")),
)


def node(
    name: str, total: int = 8, free: int = 8, product: str = H100, memory: int | None = 80 * GIBI
) -> GpuNode:
    return GpuNode(name, product, memory, total, free, cpu_free=64_000, memory_free=512 * GIBI)


FACTS = ClusterFacts(
    version="v1.34.2",
    gpu_nodes=(node("gpu-1"), node("gpu-2", free=2)),
    storage_classes=(StorageClass("nvme-local", default=True, expandable=True),),
    addons=Addons(metrics_server=True, gateway_api=True),
    checked_at=NOW,
)
EXPOSURE = Exposure(hostname="llm.example.com", routing=Routing.GATEWAY, gateway_name="inference")


def arguments(*given: str) -> DeploymentSpec:
    return replace(SPEC, engine=replace(SPEC.engine, arguments=given))

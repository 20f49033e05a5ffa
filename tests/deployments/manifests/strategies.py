"""Deployments that a valid document could describe, for hypothesis."""

from dataclasses import replace

from hypothesis import strategies as st

from deployments.context import ClusterOffers, Exposure, ModelSource, RenderContext, SizingFacts
from deployments.spec import (
    Autoscaling,
    DeploymentSpec,
    DynamoSpec,
    EngineSpec,
    Gpu,
    NimSpec,
    Resources,
    Variable,
    Workers,
)
from deployments.vocabulary import (
    DynamoBackend,
    DynamoMode,
    Engine,
    NimRunner,
    RolloutStrategy,
    Routing,
    ScalingMetric,
    SourceKind,
    TlsMode,
    UseCase,
)
from tests.deployments.manifests.semantics import ELSEWHERE

NAMES = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,46}[a-z0-9])?", fullmatch=True)
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40)
VARIABLE_NAMES = st.from_regex(r"[A-Z_][A-Z0-9_]{0,30}", fullmatch=True) | st.sampled_from(
    ["HF_TOKEN", "HOME", "VLLM_ENGINE_READY_TIMEOUT_S", "VLLM_API_KEY"]
)
VARIABLES = st.builds(
    lambda name, value, secret: Variable(name, None if secret else value, secret),
    VARIABLE_NAMES,
    TEXT,
    st.booleans(),
)
ANY_ENGINE = {
    "replicas": st.integers(0, 64),
    "volume": st.sampled_from(["1Gi", "100Gi", "1.5Ti", "500G"]),
    "arguments": st.lists(TEXT.filter(bool), max_size=4).map(tuple),
}
VLLM = st.builds(
    EngineSpec,
    kind=st.just(Engine.VLLM),
    image=st.sampled_from(["vllm/vllm-openai", "registry.example.com:5000/team/vllm"]),
    tag=st.sampled_from(["v0.33.0", "sha256:" + "ab" * 32]),
    **ANY_ENGINE,
)
NIM = st.builds(
    EngineSpec,
    kind=st.just(Engine.NIM),
    image=st.sampled_from(["nvcr.io/nim/meta/llama-3.1-8b-instruct", "registry.example.com/llama"]),
    tag=st.sampled_from(["2.0.12", "latest"]),
    nim=st.builds(NimSpec, st.sampled_from(["", "vllm-bf16-tp1-pp1"]), st.sampled_from(list(NimRunner))),
    **ANY_ENGINE,
)
WORKERS = st.builds(Workers, st.integers(1, 8), st.none() | st.integers(1, 8))
DYNAMO = st.builds(
    EngineSpec,
    kind=st.just(Engine.DYNAMO),
    image=st.just("nvcr.io/nvidia/ai-dynamo/vllm-runtime"),
    tag=st.just("1.3.1"),
    dynamo=st.builds(
        DynamoSpec,
        st.sampled_from(list(DynamoMode)),
        st.sampled_from([DynamoBackend.VLLM, DynamoBackend.SGLANG]),
        WORKERS,
        WORKERS,
    ),
    **ANY_ENGINE,
)
ENGINES = VLLM | NIM | DYNAMO
RESOURCES = st.builds(
    Resources,
    cpu_request=st.sampled_from(["500m", "4", "1.5"]),
    memory_request=st.sampled_from(["1Gi", "24Gi"]),
    cpu_limit=st.sampled_from([None, "8", "64"]),
    memory_limit=st.sampled_from(["24Gi", "1e12", "1Ti"]),
    gpu=st.builds(Gpu, count=st.integers(0, 16), product=st.sampled_from([None, "NVIDIA-L40S"])),
)
SCALING = st.builds(
    lambda enabled, low, more, metric, threshold: Autoscaling(enabled, low, low + more, metric, threshold),
    st.booleans(),
    st.integers(1, 10),
    st.integers(0, 10),
    st.sampled_from(list(ScalingMetric)),
    st.integers(1, 100),
)
SPECS = st.builds(
    DeploymentSpec,
    name=NAMES,
    model=st.just("a-model"),
    endpoint=st.just("main"),
    engine=ENGINES,
    resources=RESOURCES,
    autoscaling=SCALING,
    environment=st.lists(VARIABLES, max_size=5, unique_by=lambda variable: variable.name).map(tuple),
)
SOURCES = st.sampled_from(
    [
        ModelSource("facebook/opt-125m"),
        ModelSource("org/model", revision="main", use_case=UseCase.RERANK),
        ModelSource("org/model", sizing=SizingFacts(parameters=8_000_000_000, bits_per_parameter=16)),
        ModelSource("s3://bucket/model", kind=SourceKind.OBJECT_STORAGE),
        ModelSource("weights", kind=SourceKind.VOLUME),
    ]
)
OFFERS = st.builds(
    ClusterOffers,
    dynamo_versions=st.sampled_from([("v1beta1", "v1alpha1"), ("v1alpha1",)]),
    prometheus_url=st.just("http://prometheus.monitoring:9090"),
)
EXPOSURES = st.builds(
    Exposure,
    hostname=st.just("llm.example.com"),
    routing=st.sampled_from(list(Routing)),
    gateway_name=st.just("inference"),
    tls=st.sampled_from(list(TlsMode)),
    tls_secret=st.just("wildcard"),
)


@st.composite
def deployments(draw: st.DrawFn) -> tuple[DeploymentSpec, RenderContext]:
    spec = draw(SPECS)
    kind = spec.engine.kind
    operated = spec.engine.nim is not None and spec.engine.nim.runner is NimRunner.OPERATOR
    if operated and spec.autoscaling.metric.is_of_engine:
        # Refused: the operator knows CPU and memory only.
        spec = replace(spec, autoscaling=replace(spec.autoscaling, metric=ScalingMetric.CPU))
    hub = st.just(ModelSource("org/model", revision="main"))
    context = RenderContext(
        namespace=draw(NAMES),
        source=draw(SOURCES if kind is Engine.VLLM else hub),
        ngc_key=draw(TEXT if operated else st.none() | TEXT),
        strategy=draw(st.sampled_from([RolloutStrategy.REPLACE, RolloutStrategy.SURGE])),
        restarted_at=draw(st.sampled_from(["", "2026-11-23T10:00:00+00:00"])),
        pull_secret=draw(st.sampled_from(["", ELSEWHERE])),
        offers=draw(OFFERS),
        exposure=draw(EXPOSURES),
        revision=draw(st.integers(1, 10**6)),
        stopped=draw(st.booleans()),
        weights_token=draw(st.none() | TEXT),
        # All of them or, as in a document, none.
        secret_values=draw(st.just({}) | st.fixed_dictionaries(dict.fromkeys(spec.secret_names, TEXT))),
        checksum_key=draw(st.binary(max_size=32)),
        registry_credentials=draw(st.none() | TEXT),
        tls_pair=draw(st.none() | st.tuples(TEXT, TEXT)),
        storage_class=draw(st.none() | NAMES),
    )
    return spec, context

"""Deployments that a valid document could describe, for hypothesis."""

from hypothesis import strategies as st

from deployments.context import Exposure, ModelSource, RenderContext, SizingFacts
from deployments.spec import Autoscaling, DeploymentSpec, EngineSpec, Gpu, Resources, Variable
from deployments.vocabulary import Engine, Routing, ScalingMetric, SourceKind, TlsMode, UseCase

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
ENGINES = st.builds(
    EngineSpec,
    kind=st.just(Engine.VLLM),
    image=st.sampled_from(["vllm/vllm-openai", "registry.example.com:5000/team/vllm"]),
    tag=st.sampled_from(["v0.33.0", "sha256:" + "ab" * 32]),
    replicas=st.integers(0, 64),
    volume=st.sampled_from(["1Gi", "100Gi", "1.5Ti", "500G"]),
    arguments=st.lists(TEXT.filter(bool), max_size=4).map(tuple),
)
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
    context = RenderContext(
        namespace=draw(NAMES),
        source=draw(SOURCES),
        exposure=draw(EXPOSURES),
        revision=draw(st.integers(1, 10**6)),
        stopped=draw(st.booleans()),
        live_replicas=draw(st.none() | st.integers(0, 100)),
        weights_token=draw(st.none() | TEXT),
        # All of them or, as in a document, none.
        secret_values=draw(st.just({}) | st.fixed_dictionaries(dict.fromkeys(spec.secret_names, TEXT))),
        checksum_key=draw(st.binary(max_size=32)),
        registry_credentials=draw(st.none() | TEXT),
        tls_pair=draw(st.none() | st.tuples(TEXT, TEXT)),
        storage_class=draw(st.none() | NAMES),
    )
    return spec, context

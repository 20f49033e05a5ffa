"""One complete document as people write it, and specs that a valid document could describe."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import yaml
from hypothesis import strategies as st

from deployments.document import InvalidDocument, from_mapping
from deployments.spec import (
    Autoscaling,
    DeploymentSpec,
    EngineSpec,
    Gpu,
    Limit,
    Pricing,
    RateLimits,
    Resources,
    SharingSpec,
    Variable,
)
from deployments.vocabulary import Engine, ScalingMetric, Sharing

COMPLETE = """\
apiVersion: slipway/v1
kind: ModelDeployment
metadata:
  name: support-bot
  description: Answers for the help desk
spec:
  model: llama-8b-instruct
  endpoint: oslo
  engine:
    kind: vllm
    image: registry.example.com:5000/team/vllm-openai
    tag: v0.33.0
    replicas: 2
    volume: 200Gi
    arguments: ["--max-model-len", "16384", --tensor-parallel-size=2]
  resources:
    requests: {cpu: 500m, memory: 16Gi}
    limits: {cpu: "6", memory: 32Gi}
    gpu: {count: 2, resource: nvidia.com/gpu, product: NVIDIA-L40S}
  autoscaling:
    enabled: true
    minReplicas: 2
    maxReplicas: 5
    metric: memory
    threshold: 70
  environment:
    - {name: VLLM_LOGGING_LEVEL, value: DEBUG}
    - {name: HF_TOKEN, secret: true}
  rateLimits:
    organization: {tokensPerMinute: 90000, requestsPerMinute: 300}
    apiKey: {requestsPerMinute: 30}
  pricing: {currency: EUR, inputPerMillion: "0.15", outputPerMillion: "0.60", cachedInputPerMillion: "0.05"}
  sharing: {mode: selected, organizations: [globex, acme]}
"""


def complete() -> dict[str, Any]:
    """The document as plain values, for a test to break."""
    return yaml.safe_load(COMPLETE)


def put(path: str, value: Any) -> dict[str, Any]:
    """The complete document with another value at the dotted path."""
    raw = complete()
    *way, last = path.split(".")
    place = raw
    for key in way:
        place = place[key]
    place[last] = value
    return raw


def problems(raw: object) -> dict[str, str]:
    """What is wrong with it: the path of each problem and its sentence (the last one, when there are several)."""
    try:
        from_mapping(raw)
    except InvalidDocument as invalid:
        return {problem.path: problem.message for problem in invalid.problems}
    return {}


NAMES = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,46}[a-z0-9])?", fullmatch=True)
SLUGS = st.from_regex(r"[A-Za-z0-9][-A-Za-z0-9._]{0,40}", fullmatch=True)
LINES = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=40).map(str.strip)
TEXTS = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"], include_characters="\n\t"), max_size=60
).map(lambda text: "".join(c for c in text if ord(c) >= 32 or c in "\n\t\r").strip())
LIMITS = st.none() | st.builds(Limit, st.integers(1, 10**12), st.none() | st.integers(1, 10**9))
PRICES = st.decimals(0, 1_000_000, places=12) | st.sampled_from([Decimal("0.15"), Decimal(3)])
SPECS = st.builds(
    DeploymentSpec,
    name=NAMES,
    model=SLUGS,
    endpoint=SLUGS,
    description=TEXTS,
    engine=st.builds(
        EngineSpec,
        kind=st.just(Engine.VLLM),
        image=st.sampled_from(["vllm/vllm-openai", "registry.example.com:5000/team/vllm"]),
        tag=st.sampled_from(["v0.33.0", "1.10", "0644", "1e3", "0x1f", "null", "yes", "sha256:" + "ab" * 32]),
        replicas=st.integers(1, 64),
        volume=st.sampled_from(["1Gi", "1.5Ti", "500G", "1e12"]),
        arguments=st.lists(LINES.map(lambda line: "--seed=" + line.strip()), max_size=4).map(tuple),
    ),
    resources=st.builds(
        Resources,
        cpu_request=st.sampled_from(["500m", "4", "1.5"]),
        memory_request=st.sampled_from(["1Gi", "24Gi"]),
        cpu_limit=st.sampled_from([None, "8", "64"]),
        memory_limit=st.sampled_from(["24Gi", "1e12", "1Ti"]),
        gpu=st.builds(
            Gpu,
            count=st.integers(1, 16),
            resource=st.sampled_from(["nvidia.com/gpu", "nvidia.com/mig-4g.71gb"]),
            product=st.sampled_from([None, "NVIDIA-L40S"]),
        ),
    ),
    autoscaling=st.builds(
        lambda on, low, more, metric, threshold: Autoscaling(on, low, low + more, metric, threshold),
        st.booleans(),
        st.integers(1, 32),
        st.integers(0, 32),
        st.sampled_from(list(ScalingMetric)),
        st.integers(1, 100),
    ),
    environment=st.lists(
        st.builds(
            lambda name, value, secret: Variable("X_" + name, None if secret else value, secret),
            st.from_regex(r"[A-Za-z0-9_]{1,20}", fullmatch=True),
            TEXTS,
            st.booleans(),
        ),
        max_size=4,
        unique_by=lambda variable: variable.name,
    ).map(tuple),
    rate_limits=st.builds(RateLimits, LIMITS, LIMITS, LIMITS),
    pricing=st.none()
    | st.builds(Pricing, st.sampled_from(["USD", "JPY"]), PRICES, PRICES, st.none() | PRICES),
    sharing=st.sampled_from([SharingSpec(), SharingSpec(Sharing.ALL)])
    | st.builds(
        lambda slugs: SharingSpec(Sharing.SELECTED, tuple(sorted(slugs))), st.sets(SLUGS, max_size=4)
    ),
)

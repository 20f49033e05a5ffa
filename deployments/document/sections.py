"""The other parts of a document, one function each: whatever came in becomes the typed part, or Problems. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from deployments.document import rules
from deployments.document.parts import Problem, Section, rows
from deployments.document.rules import Refused
from deployments.engines.environment import judge as judge_variable
from deployments.spec import (
    GPU_RESOURCE,
    Autoscaling,
    Gpu,
    Limit,
    Pricing,
    RateLimits,
    Resources,
    SharingSpec,
    Variable,
)
from deployments.vocabulary import Engine, RolloutStrategy, ScalingMetric, Sharing

MOST_VARIABLES = 100
#: Where a threshold is left out. Few wait in a healthy queue; an H100 answers dozens of requests at once.
THRESHOLDS = {
    ScalingMetric.CPU: 80,
    ScalingMetric.MEMORY: 80,
    ScalingMetric.KV_CACHE: 80,
    ScalingMetric.REQUESTS_WAITING: 5,
    ScalingMetric.CONCURRENCY: 32,
}


def read_resources(raw: object, at: str, problems: list[Problem]) -> Resources | None:
    """requests, limits (CPU and memory) and gpu."""
    part = Section({} if raw is None else raw, at, problems, {"requests", "limits", "gpu"})
    default = Resources()
    requests = part.section("requests", {"cpu", "memory"}, optional=True)
    limits = part.section("limits", {"cpu", "memory"}, optional=True)
    gpu = part.section("gpu", {"count", "resource", "product"}, optional=True)
    memory = requests.value("memory", rules.memory, None)
    resources = {
        "cpu_request": requests.value("cpu", rules.cpu, default.cpu_request),
        "memory_request": memory or default.memory_request,
        "cpu_limit": limits.value(
            "cpu", rules.optional(rules.cpu), None if "cpu" in requests.raw else default.cpu_limit
        ),
        "memory_limit": limits.value("memory", rules.memory, None) or memory or default.memory_limit,
    }
    count = gpu.value("count", rules.whole(1, 16, "GPUs per replica"), 1)
    resource = gpu.value("resource", rules.gpu_resource, GPU_RESOURCE)
    product = gpu.value("product", rules.optional(rules.label_value), None)
    if part.failed:
        return None
    for key, low, high in (("cpu", "cpu_request", "cpu_limit"), ("memory", "memory_request", "memory_limit")):
        try:
            rules.limit_covers(resources[low], resources[high])
        except Refused as refused:
            limits.note(key, str(refused))
    return None if part.failed else Resources(**resources, gpu=Gpu(count, resource, product))


def read_autoscaling(raw: object, at: str, problems: list[Problem]) -> Autoscaling | None:
    """enabled, minReplicas, maxReplicas, metric and threshold; the rest is kept while it is off.

    The threshold is in percent or in requests, by metric; left out, it is one that is worth trying.
    """
    part = Section(
        {} if raw is None else raw,
        at,
        problems,
        {"enabled", "minReplicas", "maxReplicas", "metric", "threshold"},
    )
    enabled = part.value("enabled", rules.flag, False)
    low = part.value("minReplicas", rules.whole(1, 64, "replicas"), 1)
    high = part.value("maxReplicas", rules.whole(1, 64, "replicas"), 4)
    metric = part.value("metric", rules.choice(ScalingMetric), ScalingMetric.CPU)
    # Of an unknown metric no threshold can be judged.
    threshold = part.value("threshold", _threshold(metric), THRESHOLDS[metric]) if metric else 0
    if not part.failed and low > high:
        part.note("maxReplicas", f"{high} is below the minimum of {low}. Enter {low} or more.")
    return None if part.failed else Autoscaling(enabled, low, high, metric, threshold)


def _threshold(metric: ScalingMetric) -> Callable[[Any], int]:
    return rules.whole(1, 100, "percent") if metric.is_percentage else rules.whole(1, 100_000, "requests")


def read_environment(
    raw: object, at: str, problems: list[Problem], engine: Engine = Engine.VLLM
) -> tuple[Variable, ...] | None:
    """A list of {name, value} or {name, secret: true}. A secret's value never stands in a document.

    Which names are refused depends on the engine.
    """
    found = len(problems)
    variables: dict[str, Variable] = {}
    for index, row in enumerate(rows(raw, at, problems, MOST_VARIABLES)):
        part = Section(row, f"{at}[{index}]", problems, {"name", "value", "secret"})
        name = part.value("name", rules.variable_name)
        secret = part.value("secret", rules.flag, False)
        value = None if secret else part.value("value", rules.variable_value, "")
        if secret and part.get("value") is not None:
            part.note(
                "value",
                "A secret's value does not belong in a document. Leave it out and set it in the console.",
            )
        if name is None:
            continue
        if name in variables:
            part.note("name", f"{name} is set twice. Remove one of the two.")
        verdict = judge_variable(name, engine)
        if verdict is not None and verdict.refused:
            part.note("name", verdict.why)
        variables[name] = Variable(name, value, bool(secret))
    return tuple(variables.values()) if len(problems) == found else None


def read_rate_limits(raw: object, at: str, problems: list[Problem]) -> RateLimits | None:
    """organization, user and apiKey, each with tokensPerMinute and requestsPerMinute; all optional."""
    part = Section({} if raw is None else raw, at, problems, {"organization", "user", "apiKey"})
    limits: list[Limit | None] = []
    for scope in ("organization", "user", "apiKey"):
        row = part.section(scope, {"tokensPerMinute", "requestsPerMinute"}, optional=True)
        tokens = row.value(
            "tokensPerMinute", rules.optional(rules.whole(1, 10**12, "tokens per minute")), None
        )
        requests = row.value(
            "requestsPerMinute", rules.optional(rules.whole(1, 10**9, "requests per minute")), None
        )
        limits.append(None if tokens is None and requests is None else Limit(tokens, requests))
    return None if part.failed else RateLimits(*limits)


def read_pricing(raw: object, at: str, problems: list[Problem]) -> Pricing | None:
    """currency, inputPerMillion, outputPerMillion and, optional, cachedInputPerMillion; absent: no price."""
    if raw is None:
        return None
    keys = {"currency", "inputPerMillion", "outputPerMillion", "cachedInputPerMillion"}
    part = Section(raw, at, problems, keys)
    currency = part.value("currency", rules.currency, "USD")
    prompt = part.value("inputPerMillion", rules.price)
    answer = part.value("outputPerMillion", rules.price)
    cached = part.value("cachedInputPerMillion", rules.optional(rules.price), None)
    return None if part.failed else Pricing(currency, prompt, answer, cached)


def read_sharing(raw: object, at: str, problems: list[Problem]) -> SharingSpec | None:
    """mode and, for "selected", organizations."""
    part = Section({} if raw is None else raw, at, problems, {"mode", "organizations"})
    mode = part.value("mode", rules.choice(Sharing), Sharing.PRIVATE)
    organizations = tuple(sorted(set(part.items("organizations", rules.slug, 10_000))))
    if mode is not Sharing.SELECTED and organizations:
        part.note(
            "organizations",
            "Organisations are only listed with mode: selected. Remove them or change the mode.",
        )
    return None if part.failed else SharingSpec(mode, organizations)


def read_rollout(raw: object, at: str, problems: list[Problem]) -> RolloutStrategy | None:
    """strategy: auto, replace or surge."""
    part = Section({} if raw is None else raw, at, problems, {"strategy"})
    strategy = part.value("strategy", rules.choice(RolloutStrategy), RolloutStrategy.AUTO)
    return None if part.failed else strategy

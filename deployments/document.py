"""The ModelDeployment document: YAML in, DeploymentSpec out, and back.

There is one reader for files, the wizard and the API: each section of the document has a function that takes
whatever came in and either returns the typed part or notes Problems with the path of what is wrong. A person
therefore reads the same sentence beside a form field and on the command line. Pure: no Django, no I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from deployments import rules
from deployments.arguments import judge as judge_arguments
from deployments.environment import judge as judge_variable
from deployments.plain_yaml import PlainLoader
from deployments.rules import Refused
from deployments.spec import (
    GPU_RESOURCE,
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

API_VERSION = "slipway/v1"
KIND = "ModelDeployment"
LARGEST_DOCUMENT = 256 * 1024
MOST_VARIABLES = 100
MOST_ARGUMENTS = 200
MOST_UNKNOWN_KEYS = 20

DEFAULT_IMAGES = {Engine.VLLM: "vllm/vllm-openai", Engine.DYNAMO: "nvcr.io/nvidia/ai-dynamo/vllm-runtime"}
DEFAULT_VLLM_TAG = "v0.33.0"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a document."""

    path: str
    """Dotted, as in "spec.resources.limits.memory"; list items by index, as in "spec.environment[2].name"."""
    message: str
    """A sentence with the value, the rule and the fix."""

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class InvalidDocument(ValueError):
    """The document cannot be used; every problem that was found is listed."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


def read(text: str | bytes) -> DeploymentSpec:
    """A spec from YAML. Raises InvalidDocument."""
    if len(text) > LARGEST_DOCUMENT:
        raise InvalidDocument([Problem("document", f"It is larger than {LARGEST_DOCUMENT // 1024} KiB.")])
    try:
        raw = yaml.load(text, Loader=PlainLoader)  # noqa: S506  (a safe loader without aliases)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        where = getattr(error, "problem_mark", None)
        line = f" at line {where.line + 1}" if where else ""
        reason = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be parsed"
        sentence = f"This is not YAML that can be read{line}: {rules.shown(reason, 200)}."
        raise InvalidDocument([Problem("document", sentence)]) from None
    return from_mapping(raw)


def from_mapping(raw: object) -> DeploymentSpec:
    """A spec from the parsed document. Raises InvalidDocument."""
    problems: list[Problem] = []
    top = _Section(raw, "", problems, {"apiVersion", "kind", "metadata", "spec"})
    if top.get("apiVersion") != API_VERSION:
        top.note("apiVersion", f"Write apiVersion: {API_VERSION}.")
    if top.get("kind") != KIND:
        top.note("kind", f"Write kind: {KIND}.")
    metadata = top.section("metadata", {"name", "description"})
    spec = top.section("spec", {"model", "endpoint", *SECTIONS})
    name = metadata.value("name", rules.deployment_name)
    description = metadata.value("description", rules.description, "")
    model = spec.value("model", rules.slug)
    endpoint = spec.value("endpoint", rules.slug)
    parts = {key: reader(spec.get(key), f"spec.{key}", problems) for key, reader in SECTIONS.items()}
    if not problems:
        engine, resources = parts["engine"], parts["resources"]
        problems += across_sections(engine, resources)
    if problems:
        raise InvalidDocument(problems)
    return DeploymentSpec(
        name=name,
        description=description,
        model=model,
        endpoint=endpoint,
        engine=parts["engine"],
        resources=parts["resources"],
        autoscaling=parts["autoscaling"],
        environment=parts["environment"],
        rate_limits=parts["rateLimits"],
        pricing=parts["pricing"],
        sharing=parts["sharing"],
    )


def across_sections(engine: EngineSpec, resources: Resources) -> list[Problem]:
    """What no section can see alone: the engine's arguments against the GPUs of a replica."""
    verdicts = judge_arguments(engine.arguments, resources.gpu.count) if engine.kind is Engine.VLLM else []
    return [Problem(f"spec.engine.arguments[{v.index}]", v.why) for v in verdicts if v.refused]


def read_engine(raw: object, at: str, problems: list[Problem]) -> EngineSpec | None:
    """kind, image, tag, replicas, volume and arguments."""
    part = _Section(raw, at, problems, {"kind", "image", "tag", "replicas", "volume", "arguments"})
    kind = part.value("kind", rules.choice(Engine), Engine.VLLM)
    image = part.value("image", rules.image, DEFAULT_IMAGES.get(kind) if kind else None)
    tag = part.value("tag", rules.tag)
    replicas = part.value("replicas", rules.whole(1, 64, "replicas"), 1)
    volume = part.value("volume", rules.storage, "100Gi")
    arguments = part.items("arguments", rules.argument, MOST_ARGUMENTS)
    if part.failed:
        return None
    return EngineSpec(kind, image, tag, replicas, volume, arguments)


def read_resources(raw: object, at: str, problems: list[Problem]) -> Resources | None:
    """requests, limits (CPU and memory) and gpu."""
    part = _Section({} if raw is None else raw, at, problems, {"requests", "limits", "gpu"})
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
    """enabled, minReplicas, maxReplicas, metric and threshold; the rest is kept while it is off."""
    part = _Section(
        {} if raw is None else raw,
        at,
        problems,
        {"enabled", "minReplicas", "maxReplicas", "metric", "threshold"},
    )
    enabled = part.value("enabled", rules.flag, False)
    low = part.value("minReplicas", rules.whole(1, 64, "replicas"), 1)
    high = part.value("maxReplicas", rules.whole(1, 64, "replicas"), 4)
    metric = part.value("metric", rules.choice(ScalingMetric), ScalingMetric.CPU)
    threshold = part.value("threshold", rules.whole(1, 100, "percent"), 80)
    if not part.failed and low > high:
        part.note("maxReplicas", f"{high} is below the minimum of {low}. Enter {low} or more.")
    return None if part.failed else Autoscaling(enabled, low, high, metric, threshold)


def read_environment(raw: object, at: str, problems: list[Problem]) -> tuple[Variable, ...] | None:
    """A list of {name, value} or {name, secret: true}. A secret's value never stands in a document."""
    found = len(problems)
    variables: dict[str, Variable] = {}
    rows = _rows(raw, at, problems, MOST_VARIABLES)
    for index, row in enumerate(rows):
        part = _Section(row, f"{at}[{index}]", problems, {"name", "value", "secret"})
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
        verdict = judge_variable(name, Engine.VLLM)
        if verdict is not None and verdict.refused:
            part.note("name", verdict.why)
        variables[name] = Variable(name, value, bool(secret))
    return tuple(variables.values()) if len(problems) == found else None


def read_rate_limits(raw: object, at: str, problems: list[Problem]) -> RateLimits | None:
    """organization, user and apiKey, each with tokensPerMinute and requestsPerMinute; all optional."""
    part = _Section({} if raw is None else raw, at, problems, {"organization", "user", "apiKey"})
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
    """currency, inputPerMillion and outputPerMillion; absent: no price."""
    if raw is None:
        return None
    part = _Section(raw, at, problems, {"currency", "inputPerMillion", "outputPerMillion"})
    currency = part.value("currency", rules.currency, "USD")
    prompt = part.value("inputPerMillion", rules.price)
    answer = part.value("outputPerMillion", rules.price)
    return None if part.failed else Pricing(currency, prompt, answer)


def read_sharing(raw: object, at: str, problems: list[Problem]) -> SharingSpec | None:
    """mode and, for "selected", organizations."""
    part = _Section({} if raw is None else raw, at, problems, {"mode", "organizations"})
    mode = part.value("mode", rules.choice(Sharing), Sharing.PRIVATE)
    organizations = tuple(sorted(set(part.items("organizations", rules.slug, 10_000))))
    if mode is not Sharing.SELECTED and organizations:
        part.note(
            "organizations",
            "Organisations are only listed with mode: selected. Remove them or change the mode.",
        )
    return None if part.failed else SharingSpec(mode, organizations)


#: The sections of a spec by their key in the document.
SECTIONS: dict[str, Callable[[object, str, list[Problem]], Any]] = {
    "engine": read_engine,
    "resources": read_resources,
    "autoscaling": read_autoscaling,
    "environment": read_environment,
    "rateLimits": read_rate_limits,
    "pricing": read_pricing,
    "sharing": read_sharing,
}


def to_mapping(spec: DeploymentSpec) -> dict[str, Any]:
    """The document as plain values, complete and in its usual order; reading it gives an equal spec."""
    scaling, resources, gpu = spec.autoscaling, spec.resources, spec.resources.gpu
    limits = {"memory": resources.memory_limit}
    if resources.cpu_limit is not None:
        limits = {"cpu": resources.cpu_limit, **limits}
    body: dict[str, Any] = {
        "model": spec.model,
        "endpoint": spec.endpoint,
        "engine": {
            "kind": spec.engine.kind.value,
            "image": spec.engine.image,
            "tag": spec.engine.tag,
            "replicas": spec.engine.replicas,
            "volume": spec.engine.volume,
            "arguments": list(spec.engine.arguments),
        },
        "resources": {
            "requests": {"cpu": resources.cpu_request, "memory": resources.memory_request},
            "limits": limits,
            "gpu": {"count": gpu.count, "resource": gpu.resource, "product": gpu.product},
        },
        "autoscaling": {
            "enabled": scaling.enabled,
            "minReplicas": scaling.min_replicas,
            "maxReplicas": scaling.max_replicas,
            "metric": scaling.metric.value,
            "threshold": scaling.threshold,
        },
        "environment": [
            {"name": v.name, "secret": True} if v.secret else {"name": v.name, "value": v.value or ""}
            for v in spec.environment
        ],
        "rateLimits": {
            key: _limit(limit)
            for key, limit in (
                ("organization", spec.rate_limits.organization),
                ("user", spec.rate_limits.user),
                ("apiKey", spec.rate_limits.api_key),
            )
            if limit is not None
        },
    }
    if spec.pricing is not None:
        body["pricing"] = {
            "currency": spec.pricing.currency,
            "inputPerMillion": f"{spec.pricing.input_per_million:f}",
            "outputPerMillion": f"{spec.pricing.output_per_million:f}",
        }
    body["sharing"] = {"mode": spec.sharing.mode.value}
    if spec.sharing.mode is Sharing.SELECTED:
        body["sharing"]["organizations"] = list(spec.sharing.organizations)
    metadata = {"name": spec.name, "description": spec.description}
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": body}


def write(spec: DeploymentSpec) -> str:
    """The document as YAML."""
    return yaml.safe_dump(to_mapping(spec), sort_keys=False, allow_unicode=True, width=100)


def _limit(limit: Limit) -> dict[str, int]:
    values = {"tokensPerMinute": limit.tokens_per_minute, "requestsPerMinute": limit.requests_per_minute}
    return {key: value for key, value in values.items() if value is not None}


def _rows(raw: object, at: str, problems: list[Problem], most: int) -> list[object]:
    if raw is None:
        return []
    if not isinstance(raw, list):
        problems.append(Problem(at, "This must be a list."))
        return []
    if len(raw) > most:
        problems.append(Problem(at, f"{len(raw)} entries are too many. At most {most} are allowed."))
        return []
    return raw


class _Section:
    """One mapping of the document, read key by key; problems are noted with their full path."""

    def __init__(self, raw: object, at: str, problems: list[Problem], known: set[str]) -> None:
        self.at, self.problems = at, problems
        self._before = len(problems)
        self.raw: Mapping[str, Any] = raw if isinstance(raw, dict) else {}
        if not isinstance(raw, dict):
            what = "is missing" if raw is None else "must be a mapping"
            problems.append(Problem(at or "document", f"This part {what}."))
        unknown = [key for key in self.raw if key not in known]
        for key in unknown[:MOST_UNKNOWN_KEYS]:
            self.note(rules.shown(key, 60), f"This key is not known here. Known: {', '.join(sorted(known))}.")
        if len(unknown) > MOST_UNKNOWN_KEYS:
            more = len(unknown) - MOST_UNKNOWN_KEYS
            problems.append(Problem(at or "document", f"{more} more keys are not known here."))

    @property
    def failed(self) -> bool:
        return len(self.problems) > self._before

    def note(self, key: str, message: str) -> None:
        self.problems.append(Problem(f"{self.at}.{key}" if self.at else key, message))

    def get(self, key: str) -> Any:
        return self.raw.get(key)

    def section(self, key: str, known: set[str], *, optional: bool = False) -> _Section:
        raw = self.raw.get(key)
        at = f"{self.at}.{key}" if self.at else key
        return _Section({} if raw is None and optional else raw, at, self.problems, known)

    def value(self, key: str, rule: Callable[[Any], Any], default: Any = ...) -> Any:
        """The value after its rule; a missing one is the default, or a problem when there is none."""
        raw = self.raw.get(key)
        if raw is None or raw == "":
            if default is ...:
                self.note(key, "A value is needed here.")
                return None
            return default
        try:
            return rule(raw)
        except Refused as refused:
            self.note(key, str(refused))
            return None

    def items(self, key: str, rule: Callable[[Any], Any], most: int) -> tuple[Any, ...]:
        at = f"{self.at}.{key}" if self.at else key
        values = []
        for index, raw in enumerate(_rows(self.raw.get(key), at, self.problems, most)):
            try:
                values.append(rule(raw))
            except Refused as refused:
                self.note(f"{key}[{index}]", str(refused))
        return tuple(values)

"""A spec as names and values for people: what the review and the configuration page both show. Pure."""

from __future__ import annotations

from console.presentation import figures
from deployments.spec import Autoscaling, DeploymentSpec, PodGroup
from deployments.vocabulary import Engine, RolloutStrategy, Sharing

Facts = list[tuple[str, str]]

_ROLES = {
    "replica": "Replicas",
    "worker": "Workers",
    "prefill": "Prefill workers",
    "decode": "Decode workers",
}
_ROLLOUT = {
    RolloutStrategy.AUTO: "Safe choice: one more first where a GPU is spare, else replace in place",
    RolloutStrategy.REPLACE: "Replace in place",
    RolloutStrategy.SURGE: "Start one more first",
}


def engine(spec: DeploymentSpec) -> Facts:
    """The engine with what only it knows, its image and how many of its pods there are; arguments stand apart."""
    engine = spec.engine
    facts = [("Engine", engine.kind.label)]
    if engine.nim:
        facts.append(("Run by", engine.nim.runner.label))
    if engine.dynamo:
        facts += [("Mode", engine.dynamo.mode.label), ("Backend", engine.dynamo.backend.label)]
    facts.append(("Image", engine.reference))
    if engine.nim:
        facts.append(("Profile", engine.nim.profile or "Chosen by NIM"))
    return [*facts, *(_count(spec, group) for group in spec.groups), ("Volume per replica", engine.volume)]


def gpus(spec: DeploymentSpec) -> Facts:
    """GPUs of each pod, by role where roles differ."""
    product = spec.resources.gpu.product or f"any ({spec.resources.gpu.resource})"
    groups = spec.groups
    if len({group.gpus for group in groups}) == 1:
        noun = "worker" if spec.engine.kind is Engine.DYNAMO else "replica"
        return [(f"GPUs per {noun}", f"{groups[0].gpus} × {product}")]
    return [(f"GPUs per {group.role} worker", f"{group.gpus} × {product}") for group in groups]


def scaling(autoscaling: Autoscaling) -> Facts:
    """The autoscaler, or that there is none."""
    if not autoscaling.enabled:
        return [("Autoscaling", "Off")]
    unit = " %" if autoscaling.metric.is_percentage else ""
    of_request = "" if autoscaling.metric.is_of_engine else " of the request"
    return [
        ("Replicas", f"{autoscaling.min_replicas} to {autoscaling.max_replicas}"),
        ("Scales on", f"{autoscaling.metric.label} above {autoscaling.threshold}{unit}{of_request}"),
    ]


def change(spec: DeploymentSpec) -> Facts:
    """How new revisions take the place of old ones."""
    return [("New revisions", _ROLLOUT[spec.rollout])]


def sharing(spec: DeploymentSpec) -> Facts:
    shared = spec.sharing
    if shared.mode is Sharing.SELECTED:
        return [("Shared with", ", ".join(shared.organizations) or "Nobody")]
    return [("Shared with", "All organisations" if shared.mode is Sharing.ALL else "Nobody")]


def price(spec: DeploymentSpec) -> Facts:
    """What a million tokens cost. Cached input is said where it has a price of its own."""
    if spec.pricing is None:
        return [("Price", "None: usage is recorded as unpriced")]
    pricing = spec.pricing
    parts = [
        ("Input", pricing.input_per_million),
        ("Output", pricing.output_per_million),
        ("Cached input", pricing.cached_input_per_million),
    ]
    return [
        (name, f"{figures.money(amount, pricing.currency)} per 1M tokens")
        for name, amount in parts
        if amount is not None
    ]


def _count(spec: DeploymentSpec, group: PodGroup) -> tuple[str, str]:
    scaled = spec.autoscaling.enabled and group.role != "prefill"
    limits = spec.autoscaling
    said = f"{limits.min_replicas} to {limits.max_replicas}, by load" if scaled else str(group.replicas)
    return _ROLES[group.role], said

"""The column beside the form: what the preflight finds, where the replicas would go, and the memory sum."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from django.urls import reverse
from django.utils import timezone

from console.presentation.figures import share
from deployments.engines.memory import MemorySum
from deployments.models import Deployment, Endpoint
from deployments.preflight import Around, Berth, EndpointCheck, Preflight, check
from deployments.quantity import show_bytes
from deployments.spec import DeploymentSpec
from deployments.vocabulary import Tone
from deployments.wizard import reading, steps
from deployments.wizard.work import Work


@dataclass(frozen=True, slots=True)
class Finding:
    """A line of components/preflight.html."""

    tone: str
    title: str
    detail: str = ""
    url: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Advice:
    preflight: Preflight | None
    """None while the draft is incomplete."""
    missing: tuple[Finding, ...]
    """What still has to be changed, with the way there."""
    findings: tuple[Finding, ...] = ()
    passed: tuple[str, ...] = ()
    fit: dict[str, Any] | None = None
    """Headline, note, tone and nodes; None when no node is known."""
    memory: dict[str, Any] | None = None
    """The sum of one GPU, with the parts of its bar; None when the size of the weights is unknown."""

    @property
    def blockers(self) -> int:
        return len(self.preflight.blockers) if self.preflight else 0

    @property
    def warnings(self) -> int:
        return len(self.preflight.warnings) if self.preflight else 0


def of(work: Work, current: steps.Step) -> Advice:
    """The advice for a draft as it is stored, shown beside a step."""
    missing = tuple(
        Finding(
            Tone.BAD,
            f"{step.title} needs a change",
            " ".join(problem.message for problem in work.reading.of(step)[:3]),
            *_way(work, step.slug, current),
        )
        for step in steps.FILLED
        if work.reading.of(step)
    )
    spec = work.reading.spec
    if spec is None:
        return _in_part(work, missing)
    preflight = judged(work, spec, _name_is_free(work, current))
    findings = tuple(
        Finding(
            item.level.tone,
            item.title,
            item.detail,
            *_way(work, item.step, current),
        )
        for item in (*preflight.blockers, *preflight.warnings)
    )
    passed = tuple(item.title for item in preflight.passed)
    return Advice(preflight, (), findings, passed, _fit(work, spec, preflight), _memory(preflight.memory))


def _in_part(work: Work, missing: tuple[Finding, ...]) -> Advice:
    """Where the replicas would go can be said as soon as engine and resources are complete."""
    spec = reading.without_problems(work.sections, work.reading)
    if spec is None:
        return Advice(None, missing)
    preflight = judged(work, spec)
    fit, memory = _fit(work, spec, preflight), _memory(preflight.memory)
    return Advice(None, missing, fit=fit, memory=memory)


def judged(work: Work, spec: DeploymentSpec, name_is_free: bool | None = None) -> Preflight:
    """The preflight of a complete draft."""
    endpoint = work.endpoint
    return check(
        spec,
        work.model.source,
        work.facts,
        endpoint.exposure if endpoint else None,
        _around(work, endpoint, name_is_free),
    )


def _around(work: Work, endpoint: Endpoint | None, name_is_free: bool | None) -> Around:
    model, editing = work.model, work.editing
    observation = getattr(editing, "observation", None) if editing else None
    around = Around(
        now=timezone.now(),
        is_edit=editing is not None,
        name_is_free=name_is_free,
        has_weights_token=bool(model.weights_token_set_at),
        has_ngc_key=bool(model.ngc_key_set_at),
        running_replicas=observation.ready if observation else 0,
    )
    if endpoint is None:
        return around
    return replace(
        around,
        endpoint=EndpointCheck(endpoint.ready, endpoint.not_ready_reason.replace("\n", " ")),
        is_reachable=endpoint.cluster.reaches(endpoint.routing),
        namespace=endpoint.namespace,
        storage_class=endpoint.storage_class or None,
        pull_secret=endpoint.pull_secret,
        has_ngc_key=around.has_ngc_key or bool(endpoint.cluster.ngc_key_set_at),
        prometheus_url=endpoint.cluster.prometheus_url,
    )


def _name_is_free(work: Work, current: steps.Step) -> bool | None:
    """Asked on the last page alone: each step would pay for it, and General has said so already."""
    if work.editing is not None or current is not steps.REVIEW or work.reading.spec is None:
        return None
    return not Deployment.objects.filter(name=work.reading.spec.name).exists()


def _fit(work: Work, spec: DeploymentSpec, preflight: Preflight) -> dict[str, Any] | None:
    if not preflight.berths:
        return None
    gpu = spec.resources.gpu
    name = (gpu.product or "").removeprefix("NVIDIA-").replace("-", " ") or "GPUs"
    where = work.endpoint.cluster.name if work.endpoint else "the cluster"
    free = preflight.free_after + sum(berth.this for berth in preflight.berths)
    wanted, groups = preflight.to_start, spec.groups
    if not wanted:
        return {
            "tone": Tone.GOOD,
            "title": "No new replica has to start",
            "note": f"As many as are wanted run already. {free} {name} stay free on {where}.",
            "nodes": _nodes(preflight.berths),
        }
    enough = preflight.placed >= wanted
    plural = "" if wanted == 1 else "s"
    title = (
        f"Fits on {preflight.placement.gpus} of {free} free {name}"
        if enough
        else f"{preflight.placed} of {wanted} replicas fit now"
    )
    if len(groups) == 1:
        note = f"{wanted} replica{plural} × {groups[0].gpus} GPU{'' if groups[0].gpus == 1 else 's'}."
    else:
        note = f"{' and '.join(f'{group.replicas} {group.role} × {group.gpus}' for group in groups)} GPUs."
    if enough:
        note += f" {preflight.free_after} {name} stay free on {where}."
    return {
        "tone": Tone.GOOD if enough else Tone.WARN,
        "title": title,
        "note": note,
        "nodes": _nodes(preflight.berths),
    }


def _nodes(berths: tuple[Berth, ...]) -> list[dict[str, Any]]:
    return [{"name": b.node, "used": b.used, "mine": b.this, "free": b.free} for b in berths]


def _memory(memory: MemorySum | None) -> dict[str, Any] | None:
    if memory is None:
        return None
    whole = max(memory.available or 0, memory.needed)
    terms, bar, begin = [], [], 0
    for place, term in enumerate(memory.terms):
        part = min(place + 1, 4)
        terms.append(
            {"name": term.name, "working": term.working, "amount": show_bytes(term.size), "part": part}
        )
        bar.append({"part": part, "x": share(begin, whole), "width": share(term.size, whole)})
        begin += term.size
    terms.append({"name": "Needed", "amount": f"about {show_bytes(memory.needed)}", "total": True})
    if memory.available is not None:
        available = show_bytes(memory.available)
        terms.append({"name": "Available", "working": memory.available_working, "amount": available})
    spoken = ", ".join(f"{term.name} {share(term.size, whole)} %" for term in memory.terms)
    return {
        "note": _spare(memory),
        "terms": terms,
        "bar": bar,
        "spoken": spoken,
        "assumptions": memory.assumptions,
    }


def _spare(memory: MemorySum) -> str:
    if memory.spare is None or memory.available is None:
        return "The memory of these GPUs is unknown."
    if memory.spare < 0:
        return f"About {show_bytes(-memory.spare)} more than there is."
    note = f"About {show_bytes(memory.spare)} to spare."
    if memory.concurrent:
        plural = "" if memory.concurrent == 1 else "s"
        note += f" Room for {memory.concurrent:,} request{plural} of full length at once."
    return note


def _way(work: Work, slug: str, current: steps.Step) -> tuple[str, str]:
    """Address and label of a link to another step; empty for the current one and outside the wizard."""
    if not slug or slug == current.slug:
        return "", ""
    url = reverse("draft_step", args=[work.draft.pk, slug])
    return url, f"Change it in {steps.BY_SLUG[slug].title}"

"""What a draft says: its sections as a document, and everything that is still wrong with it, by step.

Sections hold parts of the document as they were typed. They are read by the document's own readers, so a form, a
file and the API refuse a value with the same sentence.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from deployments import document
from deployments.document import InvalidDocument, Problem
from deployments.document.engine import kind_of
from deployments.engines.judging import judge
from deployments.spec import DeploymentSpec, EngineSpec, Resources
from deployments.wizard import steps, words
from deployments.wizard.steps import Step

_MOST_GPUS = 16
#: Parts of the document that no step fills in.
UNSTEPPED = ("sharing", "rollout")
#: Stand-ins for the parts that a document cannot do without, to read another part alone.
_READABLE = {"name": "name", "model": "model", "endpoint": "endpoint"}
_ENGINE = {"image": "image", "tag": "tag"}


@dataclass(frozen=True, slots=True)
class Reading:
    """A draft, judged."""

    spec: DeploymentSpec | None
    """None while something is wrong."""
    problems: Mapping[str, list[Problem]] = field(default_factory=dict)
    """By slug of the step where each is mended; steps without problems are absent."""

    def of(self, step: Step) -> list[Problem]:
        return self.problems.get(step.slug, [])

    def with_problems(self, step: Step, more: list[Problem]) -> Reading:
        """The same draft with more that is wrong on one step."""
        return Reading(None, {**self.problems, step.slug: [*self.of(step), *more]})


def to_mapping(sections: Mapping[str, Any]) -> dict[str, Any]:
    """The sections of a draft as a whole document."""
    general = _mapping(sections.get("general"))
    body: dict[str, Any] = {"model": general.get("model"), "endpoint": general.get("endpoint")}
    for step in steps.FILLED:
        if step.key and sections.get(step.slug) is not None:
            body[step.key] = sections[step.slug]
    for key in UNSTEPPED:
        if sections.get(key) is not None:
            body[key] = sections[key]
    metadata = {"name": general.get("name"), "description": general.get("description")}
    return {"apiVersion": document.API_VERSION, "kind": document.KIND, "metadata": metadata, "spec": body}


def to_sections(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """A document as the sections of a draft; the reverse of to_mapping."""
    metadata, body = _mapping(mapping.get("metadata")), _mapping(mapping.get("spec"))
    sections: dict[str, Any] = {
        "general": {
            "name": metadata.get("name"),
            "description": metadata.get("description", ""),
            "model": body.get("model"),
            "endpoint": body.get("endpoint"),
        }
    }
    for step in steps.FILLED:
        if step.key:
            sections[step.slug] = body.get(step.key)
    sections |= {key: body.get(key) for key in UNSTEPPED}
    return sections


def normal(sections: Mapping[str, Any]) -> dict[str, Any]:
    """Sections as the document writes them, so that equal settings are equal.

    One that cannot be read stays as it is.
    """
    made = dict(sections)
    # Which variables are refused depends on the engine.
    engine = _ENGINE | {"kind": kind_of(sections.get("engine")).value}
    for key, slug in [(step.key, step.slug) for step in steps.FILLED if step.key] + [
        (key, key) for key in UNSTEPPED
    ]:
        alone = {"general": _READABLE, "engine": engine, slug: sections.get(slug)}
        try:
            spec = document.from_mapping(to_mapping(alone))
        except InvalidDocument:
            continue
        made[slug] = document.to_mapping(spec)["spec"].get(key)
    return made


def read(sections: Mapping[str, Any], secret_names: Collection[str] = ()) -> Reading:
    """Judges a draft. `secret_names`: the secret variables that have a value."""
    mapping = to_mapping(sections)
    spec: DeploymentSpec | None = None
    found: list[Problem] = []
    try:
        spec = document.from_mapping(mapping)
    except InvalidDocument as invalid:
        found = [problem for problem in invalid.problems if not _is_across(problem, sections)]
    found = [*_without_split(found, sections), *_engine_problems(sections)]
    found += _secret_problems(sections, secret_names)
    by_step: dict[str, list[Problem]] = {}
    for problem in found:
        by_step.setdefault(steps.of_path(problem.path).slug, []).append(problem)
    return Reading(None if found else spec, by_step)


def without_problems(sections: Mapping[str, Any], found: Reading) -> DeploymentSpec | None:
    """The draft as it would be if the steps with problems said nothing; None while engine or resources have some."""
    if found.of(steps.ENGINE) or found.of(steps.RESOURCES):
        return None
    sound = {slug: section for slug, section in sections.items() if slug not in found.problems}
    try:
        return document.from_mapping(to_mapping({"general": _READABLE, **sound}))
    except InvalidDocument:
        return None


def _without_split(found: list[Problem], sections: Mapping[str, Any]) -> list[Problem]:
    """Arguments that could not be split are kept as they were typed; the problem is then the quote, not the list."""
    typed = _mapping(sections.get("engine")).get("arguments")
    if not isinstance(typed, str):
        return found
    try:
        words.split(typed)
        sentence = "Write the arguments as a list."
    except words.Unsplittable as error:
        sentence = str(error)
    path = "spec.engine.arguments"
    return [*(problem for problem in found if problem.path != path), Problem(path, sentence)]


def _engine_problems(sections: Mapping[str, Any]) -> list[Problem]:
    """What the engine refuses by itself belongs to its step; what another number of GPUs would mend, to Resources.

    Otherwise nobody could go from one GPU to two: each step would wait for the other.
    """
    if isinstance(_mapping(sections.get("engine")).get("arguments"), str):
        return []  # words that could not be split; their own sentence says so
    engine = document.read_engine(sections.get("engine"), "spec.engine", [])
    if engine is None:
        return []
    alone = _refused_with_any_gpus(engine)
    problems = [Problem(f"spec.engine.arguments[{index}]", why) for index, why in alone.items()]
    resources = document.read_resources(sections.get("resources"), "spec.resources", [])
    if resources is not None:
        problems += [
            Problem("spec.resources.gpu.count", problem.message)
            for problem in document.across_sections(engine, resources)
            if problem.path not in {f"spec.engine.arguments[{index}]" for index in alone}
        ]
    return problems


def _refused_with_any_gpus(engine: EngineSpec) -> dict[int, str]:
    """Arguments that no number of GPUs would make right, by their place."""
    refused: dict[int, str] = {}
    for count in range(1, _MOST_GPUS + 1):
        now = {v.index: v.why for v in judge(engine, count) if v.refused}
        refused = now if count == 1 else {index: why for index, why in refused.items() if index in now}
    return refused


def _is_across(problem: Problem, sections: Mapping[str, Any]) -> bool:
    """True for a problem between two sections, which _engine_problems reports with the step that can mend it."""
    engine = document.read_engine(sections.get("engine"), "spec.engine", [])
    resources = document.read_resources(sections.get("resources"), "spec.resources", [])
    if not isinstance(engine, EngineSpec) or not isinstance(resources, Resources):
        return False
    return problem in document.across_sections(engine, resources)


def _secret_problems(sections: Mapping[str, Any], secret_names: Collection[str]) -> list[Problem]:
    rows = sections.get("environment")
    return [
        Problem(f"spec.environment[{index}].value", f"The secret {row['name']} has no value yet. Enter one.")
        for index, row in enumerate(rows if isinstance(rows, list) else [])
        if isinstance(row, dict)
        and row.get("secret") is True
        and row.get("name")
        and row["name"] not in secret_names
    ]


def _mapping(raw: object) -> Mapping[str, Any]:
    return raw if isinstance(raw, dict) else {}

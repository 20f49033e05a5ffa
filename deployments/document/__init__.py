"""The ModelDeployment document: YAML in, DeploymentSpec out, and back.

There is one reader for files, the wizard and the API: each section of the document has a function that takes
whatever came in and either returns the typed part or notes Problems with the path of what is wrong. A person
therefore reads the same sentence beside a form field and on the command line. Pure: no Django, no I/O.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import yaml

from deployments.document import rules
from deployments.document.engine import (
    DEFAULT_IMAGES,
    DEFAULT_VLLM_TAG,
    DYNAMO_IMAGES,
    kind_of,
    read_engine,
)
from deployments.document.parts import InvalidDocument, Problem, Section
from deployments.document.plain_yaml import PlainLoader
from deployments.document.sections import (
    MOST_VARIABLES,
    THRESHOLDS,
    read_autoscaling,
    read_environment,
    read_pricing,
    read_rate_limits,
    read_resources,
    read_rollout,
    read_sharing,
)
from deployments.document.writing import API_VERSION, KIND, to_mapping, write
from deployments.engines.judging import judge as judge_arguments
from deployments.spec import DeploymentSpec, EngineSpec, Resources

__all__ = [
    "API_VERSION",
    "DEFAULT_IMAGES",
    "DEFAULT_VLLM_TAG",
    "DYNAMO_IMAGES",
    "KIND",
    "MOST_VARIABLES",
    "SECTIONS",
    "THRESHOLDS",
    "InvalidDocument",
    "Problem",
    "across_sections",
    "from_mapping",
    "read",
    "read_autoscaling",
    "read_engine",
    "read_environment",
    "read_pricing",
    "read_rate_limits",
    "read_resources",
    "read_rollout",
    "read_sharing",
    "to_mapping",
    "write",
]

LARGEST_DOCUMENT = 256 * 1024


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
    top = Section(raw, "", problems, {"apiVersion", "kind", "metadata", "spec"})
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
    readers = SECTIONS | {"environment": partial(read_environment, engine=kind_of(spec.get("engine")))}
    parts = {key: reader(spec.get(key), f"spec.{key}", problems) for key, reader in readers.items()}
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
        rollout=parts["rollout"],
    )


def across_sections(engine: EngineSpec, resources: Resources) -> list[Problem]:
    """What no section can see alone: the engine's arguments against the GPUs of a replica."""
    verdicts = judge_arguments(engine, resources.gpu.count)
    return [Problem(f"spec.engine.arguments[{v.index}]", v.why) for v in verdicts if v.refused]


#: The sections of a spec by their key in the document.
SECTIONS: dict[str, Callable[[object, str, list[Problem]], Any]] = {
    "engine": read_engine,
    "resources": read_resources,
    "autoscaling": read_autoscaling,
    "environment": read_environment,
    "rateLimits": read_rate_limits,
    "pricing": read_pricing,
    "sharing": read_sharing,
    "rollout": read_rollout,
}

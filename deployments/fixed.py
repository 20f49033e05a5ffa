"""What stays as it is while a workload exists: said once, for the wizard, `manage.py apply` and the plan.

Dynamo's operator takes no other set of components and no other backend for a graph that is there, and stopping keeps
the graph. A volume never shrinks. Pure: no Django, no I/O.
"""

from __future__ import annotations

from deployments import quantity
from deployments.document import Problem
from deployments.plan import shrinking
from deployments.plan.graphs import backend_stays, mode_stays
from deployments.spec import DeploymentSpec, DynamoSpec, EngineSpec
from deployments.strategy import runs_as
from deployments.vocabulary import Engine


def of(there: DeploymentSpec, wanted: DeploymentSpec) -> list[Problem]:
    """What of a workload that is there cannot become as wanted, each with the way out."""
    return [*of_engine(there.engine, wanted.engine), *_of_volume(there, wanted)]


def of_engine(there: EngineSpec, wanted: EngineSpec) -> list[Problem]:
    """What of Dynamo's graph cannot become as wanted. Another engine takes the place of the whole graph."""
    if there.kind is not Engine.DYNAMO or wanted.kind is not Engine.DYNAMO:
        return []
    before, after = there.dynamo or DynamoSpec(), wanted.dynamo or DynamoSpec()
    found = []
    if before.mode is not after.mode:
        refusal = mode_stays(before.mode.value)
        found.append(Problem("spec.engine.mode", f"{refusal.sentence} {refusal.remedy}"))
    if before.backend is not after.backend:
        refusal = backend_stays(before.backend.label)
        found.append(Problem("spec.engine.backend", f"{refusal.sentence} {refusal.remedy}"))
    return found


def _of_volume(there: DeploymentSpec, wanted: DeploymentSpec) -> list[Problem]:
    """A smaller volume. Dynamo's volumes are made with each pod, and so may shrink."""
    kind = runs_as(wanted)
    if kind == "DynamoGraphDeployment" or runs_as(there) != kind:
        return []
    if quantity.to_bytes(wanted.engine.volume) >= quantity.to_bytes(there.engine.volume):
        return []
    refusal = shrinking(there.engine.volume, wanted.engine.volume)
    return [Problem("spec.engine.volume", f"{refusal.sentence} {refusal.remedy}")]

"""Reconciling: writes and reads for many new deployments, at rest, and for one changed variable.

A sandbox without controllers stands for the cluster: only requests are counted, and those are the same anywhere.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from unittest import mock

from django.utils import timezone

from deployments import desired
from deployments.clusters import connections
from deployments.models import Deployment
from deployments.reconciler import reconcile
from deployments.spec import Variable
from tests.deployments.rollouts.world import World
from tests.deployments.sandbox_api.cluster import Cluster as Sandbox
from tests.deployments.sandbox_api.conftest import make_namespace

_MANY = 500
_FEW = 20


def measure() -> Iterator[tuple[str, object]]:
    """Counts of requests; the last one is our CPU for a look at rest, in milliseconds."""
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(desired, "_hint"):
        sandbox = Sandbox(Path(folder) / "data", "--no-controllers")
        try:
            yield from _measure(World(sandbox, make_namespace(sandbox)))
        finally:
            connections.close_all()
            sandbox.end()


def _measure(world: World) -> Iterator[tuple[str, object]]:
    made = [world.create(world.spec(f"many-{number}")) for number in range(_MANY)]
    writes, reads = _requests(world, lambda: [reconcile(each.pk) for each in made])
    objects = len(world.objects())
    yield "new.deployments", _MANY
    yield "new.objects", objects
    yield "new.writes_per_object", round(writes / objects, 3)
    yield "new.reads_per_deployment", round(reads / _MANY, 2)
    few = made[:_FEW]
    _due(few)
    writes, reads = _requests(world, lambda: [reconcile(each.pk) for each in few])
    yield "rest.writes", writes
    yield "rest.reads_per_deployment", round(reads / _FEW, 2)
    for each in few:
        wanted = replace(world.spec(each.name), environment=(Variable("VLLM_LOGGING_LEVEL", "DEBUG"),))
        world.revise(each, wanted)
    writes, reads = _requests(world, lambda: [reconcile(each.pk) for each in few])
    yield "one_variable.writes_per_deployment", round(writes / _FEW, 2)
    yield "one_variable.reads_per_deployment", round(reads / _FEW, 2)
    _due(few)
    began = time.process_time()
    for each in few:
        reconcile(each.pk)
    yield "rest.cpu_ms", round(1000 * (time.process_time() - began) / _FEW, 1)


def _due(made: list[Deployment]) -> None:
    pks = [each.pk for each in made]
    Deployment.objects.filter(pk__in=pks).update(reconcile_due_at=timezone.now(), claimed_until=None)


def _requests(world: World, work: Callable[[], object]) -> tuple[int, int]:
    """(writes, reads) of the work."""
    total = 0

    def counted() -> None:
        nonlocal total
        total = world.requests(work)

    writes = world.written(counted)
    return writes, total - writes

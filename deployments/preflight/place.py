"""Whether the name is free, what its objects are called, and whether the endpoint can serve. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from deployments import naming
from deployments.preflight.around import Around
from deployments.preflight.items import Item, Step, blocker, passed, warning
from deployments.spec import DeploymentSpec
from deployments.vocabulary import Engine


def check_place(spec: DeploymentSpec, around: Around) -> Iterator[Item]:
    if around.name_is_free:
        made = naming.graph if spec.engine.kind is Engine.DYNAMO else naming.workload
        yield passed(f"The name is free, and its workload is called {made(spec.name)}", Step.GENERAL)
    elif around.name_is_free is not None:
        detail = f"There is a deployment {spec.name} already. Choose another name."
        yield blocker("The name is taken", detail, Step.GENERAL)
    if around.endpoint is None:
        return
    if not around.is_reachable:
        detail = (
            "It has a service only, and its cluster's engines are called through host names. Nobody could use the "
            "deployment through a gateway. Choose another endpoint, or change how that cluster's engines are called."
        )
        yield warning("Gateways have no way to the endpoint", detail, Step.GENERAL)
    if around.endpoint.ready:
        yield passed("The endpoint is ready", Step.GENERAL)
    elif around.endpoint.ready is None:
        detail = "Whether its namespace and route are there is not known. Check it on its own page."
        yield warning("The endpoint was never checked", detail, Step.NOWHERE)
    else:
        # What serves already may have to be changed in spite of it.
        level = warning if around.is_edit else blocker
        detail = f"{around.endpoint.reason} Then check it again on its own page.".strip()
        yield level("The endpoint is not ready", detail, Step.NOWHERE)

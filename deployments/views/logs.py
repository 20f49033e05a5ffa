"""The log of a deployment's replicas."""

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from console.access import Permission, requires
from console.http import Request, page
from deployments import log_reading
from deployments.log_reading import Log
from deployments.standing import observation_of
from deployments.views.frame import find, head

MOST_REPLICAS = 100


@require_safe
@requires(Permission.VIEW)
def log(request: Request, name: str) -> HttpResponse:
    """The last lines of one replica, by `?replica=`, or of its run before, by `?previous=1`."""
    deployment, standing, now = find(request, name)
    details = observation_of(deployment).details or {}
    replicas = {
        str(r.get("name")): r for r in (details.get("replicas") or [])[:MOST_REPLICAS] if r.get("name")
    }
    # Only a replica that was seen of this deployment: the name goes into a request to the cluster.
    wanted = request.GET.get("replica", "")
    chosen = wanted if wanted in replicas else next(iter(replicas), "")
    previous = request.GET.get("previous") == "1"
    container = str(replicas[chosen].get("container") or "") if chosen else ""
    found = log_reading.read(deployment, chosen, container=container, previous=previous) if chosen else Log()
    kept = [log_reading.line(text) for text in details.get("log") or []] if not found.lines else []
    context = head(deployment, standing, "deployment_logs", now) | {
        "replicas": [
            {"name": each, "current": each == chosen, "label": replica.get("label", "")}
            for each, replica in replicas.items()
        ],
        "chosen": chosen,
        "previous": previous,
        "restarts": replicas[chosen].get("restarts", 0) if chosen else 0,
        "found": found,
        "kept": kept,
        "kept_of": details.get("log_of", ""),
        "most": log_reading.LINES,
    }
    return page(request, "deployments/logs.html", context, fragment="log")

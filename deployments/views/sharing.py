"""With whom a deployment is shared: looking, and changing it after having seen who gains and who loses it."""

from dataclasses import dataclass

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from console.access import Permission, can, requires
from console.http import Request, page
from console.models import Organization
from deployments import dependents, desired
from deployments.desired import Conflict
from deployments.document import InvalidDocument
from deployments.models import Deployment
from deployments.spec import SharingSpec
from deployments.views import picking
from deployments.views.frame import find, head
from deployments.vocabulary import DesiredState, Sharing

NAMES_SHOWN = 12
HELP = {
    Sharing.PRIVATE: "No organisation can use it.",
    Sharing.ALL: "Every organisation can use it, those added later too.",
    Sharing.SELECTED: "Only the organisations chosen below can use it.",
}


@dataclass(frozen=True, slots=True)
class Change:
    """What a new choice means for organisations, by name."""

    gains: tuple[str, ...]
    loses: tuple[str, ...]
    losing: tuple[str, ...] = ()
    """What those who lose it do with it, in sentences."""

    @property
    def is_none(self) -> bool:
        return not self.gains and not self.loses


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.VIEW)
def manage(request: Request, name: str) -> HttpResponse:
    """GET shows; POST `do=search` finds organisations, `review` says who gains and loses, `save` saves."""
    deployment, standing, now = find(request, name)
    may_change = can(request.user, Permission.SHARE)
    if request.method == "POST" and not may_change:
        raise PermissionDenied
    current = deployment.spec.sharing
    number = deployment.current.number  # type: ignore[union-attr]
    chosen, problem, change = current, "", None
    status = 200
    if request.method == "POST":
        chosen, problem = _chosen(request)
        is_search = request.POST.get("do") == "search"
        problem = "" if is_search else problem
        begun = request.POST.get("revision", "")
        if not problem and deployment.desired_state == DesiredState.DELETED:
            problem = f"{name} is being deleted, so it cannot be shared."
        if not problem and begun != str(number):
            problem = f"Somebody saved revision {number} meanwhile. Look at the change again."
        change = None if problem or is_search else _change(deployment, current, chosen)
        status = 422 if problem else 200
        if change is not None and request.POST.get("do") == "save":
            try:
                desired.share(deployment, chosen.mode, chosen.organizations, author=request.user)
            except (Conflict, InvalidDocument) as error:
                problem, change, status = str(error), None, 409
            else:
                messages.success(request, f"Sharing of {name} is saved.")
                return redirect("deployment_sharing", name)
    context = head(deployment, standing, "deployment_sharing", now) | {
        "may_change": may_change and deployment.desired_state != DesiredState.DELETED,
        "modes": [(mode, HELP[mode], mode is chosen.mode) for mode in Sharing],
        "picker": picking.picker(chosen.organizations, request.POST.get("q", "")),
        "exceptions": dependents.exceptions(deployment),
        "names_shown": NAMES_SHOWN,
        "selected": chosen.mode is Sharing.SELECTED,
        "number": number,
        "problem": problem,
        "change": change,
        "chosen_mode": chosen.mode,
        "current_mode": current.mode,
        "help": HELP[current.mode],
    }
    return page(request, "deployments/sharing.html", context, fragment="form", status=status)


def _chosen(request: Request) -> tuple[SharingSpec, str]:
    """The choice of the form, and what is wrong with it."""
    mode = request.POST.get("mode", "")
    wanted = picking.chosen_in(request.POST)
    if mode not in set(Sharing):
        return SharingSpec(Sharing.PRIVATE, wanted), "Choose with whom it is shared."
    spec = SharingSpec(Sharing(mode), wanted)
    if spec.mode is Sharing.SELECTED and not wanted:
        return spec, "No organisation is chosen. Choose one or more, or “Not shared”."
    return spec, ""


def _change(deployment: Deployment, before: SharingSpec, after: SharingSpec) -> Change:
    organizations = list(Organization.objects.order_by("name"))

    def reach(sharing: SharingSpec) -> set[str]:
        if sharing.mode is Sharing.ALL:
            return {organization.slug for organization in organizations}
        return set(sharing.organizations) if sharing.mode is Sharing.SELECTED else set()

    had, has = reach(before), reach(after)
    names = {organization.slug: organization.name for organization in organizations}
    losing = [organization for organization in organizations if organization.slug in had - has]
    return Change(
        gains=tuple(names[slug] for slug in names if slug in has - had),
        loses=tuple(names[slug] for slug in names if slug in had - has),
        losing=dependents.sentences(deployment, losing) if losing else (),
    )

"""Who may see or change what. The only place that answers it; docs/access.md is printed from here.

Platform people have roles (groups) that carry permissions; tenants have none of them and see nothing of the
console. Views ask with `@requires(...)`, querysets with `sees_platform(user)`, templates with `may` (console.shell).
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import AnonymousUser, Group
from django.contrib.auth.models import Permission as DjangoPermission
from django.core.exceptions import PermissionDenied
from django.db.models import Exists
from django.http import Http404, HttpRequest, HttpResponse

from console.models import Membership, User


class Permission(StrEnum):
    """What a platform role may do; the values are Django permissions on User."""

    VIEW = "view_platform"
    CATALOG = "manage_catalog"
    CLUSTERS = "manage_clusters"
    DEPLOY = "manage_deployments"
    SHARE = "share_deployments"
    PRICES = "manage_prices"
    ORGANIZATIONS = "manage_organizations"
    USAGE = "view_usage"
    AUDIT = "view_audit"


class Role(StrEnum):
    """Platform roles; the values are names of Django groups."""

    ADMINISTRATOR = "administrator"
    OPERATOR = "operator"
    BILLING = "billing"
    VIEWER = "viewer"


MATRIX: dict[Role, frozenset[Permission]] = {
    Role.ADMINISTRATOR: frozenset(Permission),
    # Whoever runs deployments has to learn who changed one. The audit names people and their addresses, so that
    # nobody reads it who only looks at the console.
    Role.OPERATOR: frozenset(
        {Permission.VIEW, Permission.CATALOG, Permission.DEPLOY, Permission.USAGE, Permission.AUDIT}
    ),
    Role.BILLING: frozenset({Permission.VIEW, Permission.PRICES, Permission.USAGE}),
    Role.VIEWER: frozenset({Permission.VIEW}),
}


class TenantRight(StrEnum):
    """What somebody may do in the portal of an organisation, beyond what is their own."""

    MEMBERS = "manage members"
    ALL_KEYS = "see and end the API keys of everybody"
    ALL_USAGE = "see the usage of everybody"
    BILL = "see the bill"


IN_ORGANIZATION: dict[Membership.Role, frozenset[TenantRight]] = {
    Membership.Role.OWNER: frozenset(TenantRight),
    # Using models, with keys and a playground of one's own, is what membership means.
    Membership.Role.MEMBER: frozenset(),
}

Person = User | AnonymousUser
View = Callable[..., HttpResponse]


@dataclass(frozen=True, slots=True)
class Grants:
    """What one person holds, read in one query and kept with the user object of the request."""

    permissions: frozenset[str]
    groups: frozenset[str]
    belongs: bool
    """To an organisation; of people without any group it is not asked for, and False."""


def can(user: Person, permission: Permission) -> bool:
    if not user.is_active or isinstance(user, AnonymousUser):
        return False
    return user.is_superuser or permission in _grants(user).permissions


def sees_platform(user: Person) -> bool:
    """True for people who run the platform; tenants see only what is shared with them, in the portal."""
    return can(user, Permission.VIEW)


def role_of(user: User) -> str:
    """The widest platform role, for display; empty for tenants."""
    if user.is_superuser:
        return "Superuser"
    return next((role.value.capitalize() for role in Role if role in _grants(user).groups), "")


def has_both(user: User) -> bool:
    """Whether somebody of the platform also belongs to an organisation, and so has a portal."""
    return not isinstance(user, AnonymousUser) and sees_platform(user) and _grants(user).belongs


def _grants(user: User) -> Grants:
    held: Grants | None = getattr(user, "_console_grants", None)
    if held is None:
        rows = list(
            Group.objects.filter(user=user)
            .annotate(belongs=Exists(Membership.objects.filter(user=user)))
            .values_list("name", "permissions__codename", "permissions__content_type__app_label", "belongs")
        )
        codes = frozenset(code for _, code, app, _ in rows if app == "console")
        held = Grants(codes, frozenset(row[0] for row in rows), any(row[3] for row in rows))
        user._console_grants = held  # type: ignore[attr-defined]
    return held


def requires(permission: Permission) -> Callable[[View], View]:
    """A view for people who may do this.

    Who does not see the console finds no page (404); who sees it but lacks the right is refused (403).
    """

    def decorate(view: View) -> View:
        @login_required
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not sees_platform(request.user):
                raise Http404
            if not can(request.user, permission):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        guarded.permission = permission  # type: ignore[attr-defined]
        return guarded

    return decorate


def sync_roles(**signal: object) -> None:
    """Makes the groups carry exactly the matrix. Runs after every migration."""
    known = {p.codename: p for p in DjangoPermission.objects.filter(content_type__app_label="console")}
    for role, permissions in MATRIX.items():
        group, _ = Group.objects.get_or_create(name=role.value)
        group.permissions.set([known[permission] for permission in permissions if permission in known])

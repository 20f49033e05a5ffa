"""Who may see or change what. The only place that answers it.

Platform people have roles (groups) that carry permissions; tenants have none of them and see nothing of the
console. Views ask with `@requires(...)`, querysets with `sees_platform(user)`, templates with `may` (console.shell).
"""

from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse

from console.models import User


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


class Role(StrEnum):
    """Platform roles; the values are names of Django groups."""

    ADMINISTRATOR = "administrator"
    OPERATOR = "operator"
    BILLING = "billing"
    VIEWER = "viewer"


MATRIX: dict[Role, frozenset[Permission]] = {
    Role.ADMINISTRATOR: frozenset(Permission),
    Role.OPERATOR: frozenset({Permission.VIEW, Permission.CATALOG, Permission.DEPLOY, Permission.USAGE}),
    Role.BILLING: frozenset({Permission.VIEW, Permission.PRICES, Permission.USAGE}),
    Role.VIEWER: frozenset({Permission.VIEW}),
}

type_of_user = User | AnonymousUser


def can(user: type_of_user, permission: Permission) -> bool:
    return user.is_active and user.has_perm(f"console.{permission}")


def sees_platform(user: type_of_user) -> bool:
    """True for people who run the platform; tenants see only what is shared with them, in the portal."""
    return can(user, Permission.VIEW)


def role_of(user: User) -> str:
    """The widest platform role, for display; empty for tenants."""
    if user.is_superuser:
        return "Superuser"
    held = {group.name for group in user.groups.all()}
    return next((role.value.capitalize() for role in Role if role in held), "")


def requires(permission: Permission) -> Callable[[Callable[..., HttpResponse]], Callable[..., HttpResponse]]:
    """A view for people who may do this. Without the console's sight a page does not exist; without the right it is refused."""

    def decorate(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
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


def sync_roles(**_: object) -> None:
    """Makes the groups carry exactly the matrix. Runs after every migration."""
    from django.contrib.auth.models import Group
    from django.contrib.auth.models import Permission as DjangoPermission

    known = {p.codename: p for p in DjangoPermission.objects.filter(content_type__app_label="console")}
    for role, permissions in MATRIX.items():
        group, _ = Group.objects.get_or_create(name=role.value)
        group.permissions.set([known[permission] for permission in permissions if permission in known])

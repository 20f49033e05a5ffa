"""What the frame around every page shows: who is signed in, where they can go, and how many deployments there are.

Tenants have the portal's bar on every page; people of the platform have it below /portal/ and the sidebar elsewhere.
"""

from functools import partial
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from console.access import Permission, can, has_both, role_of, sees_platform
from console.models import User
from console.visiting import visit_of
from deployments.models import Deployment


def shell(request: HttpRequest) -> dict[str, Any]:
    """Context processor. `may` tells templates which actions to offer; views decide again."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {"shell": {"environment": settings.ENVIRONMENT_NAME}, "may": {}}
    return {
        "shell": {
            "environment": settings.ENVIRONMENT_NAME,
            "user_name": str(user),
            "initials": user.initials,
            "role": role_of(user) or "Tenant",
            "sees_platform": sees_platform(user),
            "is_portal": request.path.startswith("/portal/") or not sees_platform(user),
            "has_both": has_both(user),
            "visit": partial(visit_of, request),
            "deployment_count": partial(_deployments, user),
        },
        "may": {permission.name.lower(): can(user, permission) for permission in Permission},
    }


def _deployments(user: User) -> int:
    """Counted only when the frame is drawn, so that polled fragments do without."""
    return Deployment.objects.visible_to(user).count()

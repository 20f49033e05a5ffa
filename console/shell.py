"""What the frame around every page shows: who is signed in, and how many deployments there are."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from console.access import Permission, can, role_of, sees_platform


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
        },
        "may": {permission.name.lower(): can(user, permission) for permission in Permission},
    }

"""The queryset that every table of the platform uses: rows come only through `visible_to(user)`."""

from typing import Self

from django.contrib.auth.models import AnonymousUser
from django.db import models

from console.access import sees_platform
from console.models import User


class PlatformQuerySet(models.QuerySet):
    """Rows that people of the platform see and tenants do not."""

    def visible_to(self, user: User | AnonymousUser) -> Self:
        return self.all() if sees_platform(user) else self.none()


PlatformManager = models.Manager.from_queryset(PlatformQuerySet)

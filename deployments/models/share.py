"""A deployment given to an organisation."""

from django.db import models

from console.models import Organization
from deployments.models.deployment import Deployment


class Share(models.Model):
    deployment = models.ForeignKey(Deployment, models.CASCADE, related_name="shares")
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="shares")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["deployment", "organization"], name="share_once")]

    def __str__(self) -> str:
        return f"{self.deployment} for {self.organization}"

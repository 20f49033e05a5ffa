"""What an engine counts itself, so that the ledger can be held against it."""

from django.db import models


class EngineCounter(models.Model):
    """Tokens of one replica since it was first looked at, across its restarts. Written by the look alone."""

    deployment_id = models.BigIntegerField()
    upstream = models.CharField(max_length=200)
    since = models.DateTimeField()
    seen_at = models.DateTimeField()
    input_read = models.BigIntegerField()
    """As the counter stood at the last look; a smaller figure afterwards is a new beginning."""
    output_read = models.BigIntegerField()
    input_tokens = models.BigIntegerField(default=0)
    """Grown since `since`."""
    output_tokens = models.BigIntegerField(default=0)

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["deployment_id", "upstream"], name="engine_counter_once")
        ]

    def __str__(self) -> str:
        return self.upstream

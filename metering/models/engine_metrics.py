"""What engines say of themselves, by the minute and by the hour. Written by the look and by closing hours alone.

Growth is that of a counter from one reading of a replica to the next one, whatever time lies between them: it counts in
the minute of the later one, although most of it may be from the minute before. A figure is null when the engine did
not say it, which is not the same as 0.
"""

from django.db import models


class EngineMinute(models.Model):
    """One replica as it was read in one minute (UTC), the last reading of it if there were several."""

    deployment_id = models.BigIntegerField()
    upstream = models.CharField(max_length=200)
    minute = models.DateTimeField()
    read_at = models.DateTimeField()
    over_seconds = models.FloatField(null=True)
    """The time in which the counters grew; null for the first reading of a replica, of which no growth is known."""

    running = models.BigIntegerField(null=True)
    waiting = models.BigIntegerField(null=True)
    kv_use = models.FloatField(null=True)
    """0 to 1."""

    prefix_hits_read = models.BigIntegerField(null=True)
    """As the counter stood when the engine last said it; a smaller figure afterwards is a new beginning."""
    prefix_queries_read = models.BigIntegerField(null=True)
    preemptions_read = models.BigIntegerField(null=True)
    prompt_tokens_read = models.BigIntegerField(null=True)
    generation_tokens_read = models.BigIntegerField(null=True)

    prefix_hits = models.BigIntegerField(null=True)
    """Growth, as the following ones."""
    prefix_queries = models.BigIntegerField(null=True)
    preemptions = models.BigIntegerField(null=True)
    prompt_tokens = models.BigIntegerField(null=True)
    generation_tokens = models.BigIntegerField(null=True)

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["deployment_id", "upstream", "minute"], name="engine_minute_once")
        ]
        indexes = [models.Index(fields=["minute"], name="engine_minutes_by_minute")]

    def __str__(self) -> str:
        return f"{self.upstream} at {self.minute:%Y-%m-%d %H:%M}"


class EngineHour(models.Model):
    """One replica in one hour (UTC) that is over, made of its minutes."""

    deployment_id = models.BigIntegerField()
    upstream = models.CharField(max_length=200)
    hour = models.DateTimeField()
    minutes = models.PositiveSmallIntegerField()
    """In which this replica was read."""
    looks = models.PositiveSmallIntegerField()
    """Minutes in which any replica of the deployment was read: the same in all its rows of an hour."""
    seconds = models.FloatField(null=True)
    """The time in which the counters of the deployment grew: the same in all its rows of an hour."""

    running_mean = models.FloatField(null=True)
    running_max = models.BigIntegerField(null=True)
    waiting_mean = models.FloatField(null=True)
    waiting_max = models.BigIntegerField(null=True)
    kv_use_mean = models.FloatField(null=True)
    kv_use_max = models.FloatField(null=True)

    prefix_hits = models.BigIntegerField(null=True)
    """The sum of growth, as the following ones."""
    prefix_queries = models.BigIntegerField(null=True)
    preemptions = models.BigIntegerField(null=True)
    prompt_tokens = models.BigIntegerField(null=True)
    generation_tokens = models.BigIntegerField(null=True)

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["deployment_id", "upstream", "hour"], name="engine_hour_once")
        ]
        indexes = [
            models.Index(fields=["hour"], name="engine_hours_by_hour"),
            models.Index(fields=["deployment_id", "hour"], name="engine_hours_of_deployment"),
        ]

    def __str__(self) -> str:
        return f"{self.upstream} at {self.hour:%Y-%m-%d %H}"

"""What an organisation means to spend in a month. A budget warns; it stops nothing."""

from django.core.validators import MinValueValidator
from django.db import models
from django.utils import timezone

from console.models import Organization, User


class Budget(models.Model):
    """Of an organisation in one currency, for each month (UTC) until it is changed."""

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="budgets")
    currency = models.CharField(max_length=3)
    amount = models.DecimalField(max_digits=20, decimal_places=6, validators=[MinValueValidator(0)])
    changed_at = models.DateTimeField(default=timezone.now)
    changed_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")

    class Meta:
        ordering = ["organization", "currency"]
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["organization", "currency"], name="budget_once_per_currency"),
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="budget_is_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.organization}: {self.amount} {self.currency}"

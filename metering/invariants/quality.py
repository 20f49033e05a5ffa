"""What is right but deserves a look: estimates, usage without a price, and what could not be taken in."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Count, Sum

from metering.invariants.finding import Finding, holds, look
from metering.models import UsageHour, UsageReject

LOOK_BACK = timedelta(hours=24)
MOST_ESTIMATED = 0.01


def estimated(now: datetime) -> Finding:
    """How many requests no engine has counted."""
    title = "Estimated tokens"
    rows = UsageHour.objects.filter(hour__gte=now - LOOK_BACK)
    sums = rows.aggregate(all=Sum("requests"), estimated=Sum("estimated_requests"))
    whole, part = sums["all"] or 0, sums["estimated"] or 0
    share = part / whole if whole else 0.0
    sentence = f"{part:,} of {whole:,} requests of the last 24 hours are estimated ({100 * share:.2f} %)."
    if share <= MOST_ESTIMATED:
        return holds(title, sentence)
    names = list(rows.filter(estimated_requests__gt=0).values_list("deployment", flat=True).distinct()[:5])
    remedy = f"Engines do not report usage: look at version and arguments of {', '.join(names)}."
    return look(title, sentence, remedy)


def unpriced(now: datetime) -> Finding:
    """Usage that costs nothing because nobody has said what it costs."""
    title = "Unpriced usage"
    rows = UsageHour.objects.filter(hour__gte=now - LOOK_BACK, currency="")
    counts = list(rows.values_list("deployment").annotate(sum=Sum("requests")).order_by("-sum")[:1000])
    count = sum(requests for _, requests in counts)
    if not count:
        return holds(title, "Every request of the last 24 hours has a price.")
    return look(
        title,
        f"{count:,} requests of the last 24 hours have no price.",
        "Set a price on the deployment's Pricing page. It counts from then on.",
        *((name, f"{requests:,}") for name, requests in counts[:5]),
    )


def rejected(now: datetime) -> Finding:
    """What could not be taken in, by reason."""
    title = "Rejected events"
    whole = UsageReject.objects.count()
    recent = UsageReject.objects.filter(at__gte=now - LOOK_BACK)
    reasons = [
        (reason.rstrip("."), f"{count:,}")
        for reason, count in recent.order_by()
        .values_list("reason")
        .annotate(count=Count("id"))
        .order_by("-count")[:5]
    ]
    count = recent.count()
    if not count:
        return holds(title, f"Every event of the last 24 hours could be taken in; {whole:,} ever could not.")
    return look(
        title,
        f"{count:,} events of the last 24 hours could not be taken in, {whole:,} ever.",
        "They are listed below and kept as they came: manage.py check_ledger --rejects.",
        *reasons,
    )

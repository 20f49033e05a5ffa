"""Usage and cost: total, by organisation, model, deployment, user, API key, API key and model, and over time."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from ninja import Router

from console.access import Permission
from console.api.authentication import Asking, needs
from console.api.problems import Problem, not_found
from metering.period import BadPeriod
from metering.usage import asking, exporting, sums
from metering.usage.asking import BadQuestion, Group

router = Router(tags=["Usage"])
_WORDS = {
    **{f"by-{group.word}": group for group in Group if group not in (Group.TOTAL, Group.TIME)},
    "total": Group.TOTAL,
    "time-series": Group.TIME,
}


_QUERY = {
    "parameters": [
        {"name": name, "in": "query", "required": False, "schema": {"type": "string"}, "description": words}
        for name, words in (
            ("period", "24h, 7d or 30d; or from and to"),
            ("from", "Such as 2026-11-01T00:00, a whole hour of the zone"),
            ("to", "As from"),
            ("zone", "Such as Europe/Oslo; UTC by default"),
            ("organization", "A number, as `organization_id` in a row"),
            ("model", "The short name of a model"),
            ("deployment", "A number"),
            ("user", "A number"),
            ("api-key", "A number"),
        )
    ]
}


# The answer also has "from" and "to", which no class of Python can name.
@router.get(
    "/usage/{word}/",
    response=dict[str, Any],
    url_name="api_usage",
    openapi_extra=_QUERY,
    auth=needs(Permission.USAGE),
)
def usage(request: Asking, word: str) -> dict[str, Any]:
    """`word`: total, time-series, or by- organization, model, deployment, user, api-key, api-key-and-model."""
    group = _WORDS.get(word)
    if group is None:
        raise not_found()
    try:
        question = asking.read(request.GET, timezone.now(), group)
    except (BadPeriod, BadQuestion) as error:
        raise Problem(422, str(error)) from None
    return exporting.as_json(question, sums.answer(question))

"""Long lists: a page at a time, in an order that does not shift while one reads."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from ninja import Schema

from console.api.problems import Problem

MOST, USUAL = 200, 50
_LONGEST = 400


class Page(Schema):
    """The part that every list has."""

    next: str | None
    """The cursor of the next page; null on the last one."""


def paged(
    request: HttpRequest,
    response: HttpResponse,
    rows: QuerySet[Any],
    column: str,
    shown: Callable[[Any], dict[str, Any]],
    *,
    limit: int,
    cursor: str,
    is_newest_first: bool = False,
) -> dict[str, Any]:
    """`column` is unique and orders the rows. The Link header names the next page, too."""
    if cursor:
        comparison = "lt" if is_newest_first else "gt"
        rows = rows.filter(**{f"{column}__{comparison}": _read(cursor)})
    found = list(rows.order_by(f"-{column}" if is_newest_first else column)[: limit + 1])
    following = None
    if len(found) > limit:
        found = found[:limit]
        following = _write(getattr(found[-1], column))
        query = request.GET.copy()
        query["cursor"] = following
        response["Link"] = f'<{request.path}?{query.urlencode()}>; rel="next"'
    return {"items": [shown(each) for each in found], "next": following}


def _write(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _read(cursor: str) -> str | int:
    try:
        if len(cursor) > _LONGEST:
            raise ValueError
        value = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        raise _wrong() from None
    is_number = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63
    if is_number or (isinstance(value, str) and "\0" not in value and value.isprintable()):
        return value  # type: ignore[no-any-return]
    raise _wrong()


def _wrong() -> Problem:
    return Problem(422, errors=[("cursor", "It is none that this list gave. Begin without one.")])

"""What a page of usage is asked for: a period, how to add up, and what to leave out. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import NamedTuple
from urllib.parse import urlencode

from metering import period as periods
from metering.period import Period

_MOST_ID = 2**63 - 1
_LONGEST_SLUG = 63


class BadQuestion(ValueError):
    """Says, in a sentence for people, what is wrong with what was asked."""


class Group(Enum):
    """What a row stands for: its word in an address, its words for people, and its columns in `UsageHour`."""

    TOTAL = "total", "Total", ()
    ORGANIZATION = "organization", "Organisation", ("organization_id",)
    MODEL = "model", "Model", ("model",)
    DEPLOYMENT = "deployment", "Deployment", ("deployment_id",)
    USER = "user", "User", ("user_id",)
    API_KEY = "api-key", "API key", ("api_key_id",)
    API_KEY_AND_MODEL = "api-key-and-model", "API key and model", ("api_key_id", "model")
    TIME = "time", "Time", ("start",)

    def __init__(self, word: str, label: str, columns: tuple[str, ...]) -> None:
        self.word, self.label, self.columns = word, label, columns


#: By the word in an address, the column that a filter is about.
FILTERS = {
    "organization": "organization_id",
    "model": "model",
    "deployment": "deployment_id",
    "user": "user_id",
    "api-key": "api_key_id",
}


class Question(NamedTuple):
    """A whole question."""

    period: Period
    group: Group
    filters: dict[str, int | str]
    """By the word in an address: an id, or the slug of a model."""

    def address(self, group: Group | None = None, period: str = "", **narrower: int | str) -> str:
        """The query string of this question with something else in it."""
        words: dict[str, object] = {}
        if period or self.period.key != "custom":
            words["period"] = period or self.period.key
        else:
            begin, end = self.period.local
            words |= {"from": f"{begin:%Y-%m-%dT%H:%M}", "to": f"{end:%Y-%m-%dT%H:%M}"}
        if self.period.zone_name != "UTC":
            words["zone"] = self.period.zone_name
        words["by"] = (group or self.group).word
        return "?" + urlencode(words | self.filters | narrower)

    def without(self, word: str) -> str:
        return self._replace(filters={k: v for k, v in self.filters.items() if k != word}).address()


def read(query: Mapping[str, str], now: datetime, group: Group | None = None) -> Question:
    """Raises BadPeriod or BadQuestion. `group` is the one of the address, where that says it."""
    word = query.get("by") or Group.ORGANIZATION.word
    chosen = group or next((each for each in Group if each.word == word), None)
    if chosen is None:
        raise BadQuestion("Usage cannot be added up in this way. Choose one of the ways on the page.")
    return Question(periods.read(query, now), chosen, dict(_filters(query)))


def _filters(query: Mapping[str, str]) -> list[tuple[str, int | str]]:
    found: list[tuple[str, int | str]] = []
    for word in FILTERS:
        text = query.get(word, "")
        if not text:
            continue
        if word == "model":
            if len(text) > _LONGEST_SLUG or "\0" in text:
                raise BadQuestion("There is no such model.")
            found.append((word, text))
            continue
        if not (text.isascii() and text.isdigit()) or len(text) > 19 or int(text) > _MOST_ID:
            raise BadQuestion(f"“{text[:40]}” is no number of a row. Choose one from the table.")
        found.append((word, int(text)))
    return found

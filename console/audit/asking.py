"""What the page and the files of the audit are asked for: filters, a period, words, and where to go on. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlencode

#: By the word in an address: the longest value.
WORDS = {"action": 60, "actor": 254, "object": 300, "organization": 63, "address": 45}
_LONGEST_SEARCH = 100
_MOST_NUMBER = 2**63 - 1


class BadQuestion(ValueError):
    """Says, in a sentence for people, what is wrong with what was asked."""


class Question(NamedTuple):
    """Which entries. Filters hold together; of an object, "kind:name" or a name alone."""

    filters: dict[str, str]
    search: str = ""
    first: date | None = None
    last: date | None = None
    """Days of UTC, both inclusive."""
    refused: bool = False
    before: int | None = None
    """Only entries with smaller numbers: the next page."""
    after: int | None = None

    @property
    def begin(self) -> datetime | None:
        return datetime(self.first.year, self.first.month, self.first.day, tzinfo=UTC) if self.first else None

    @property
    def end(self) -> datetime | None:
        """Exclusive."""
        if self.last is None or self.last == date.max:
            return None
        return datetime(self.last.year, self.last.month, self.last.day, tzinfo=UTC) + timedelta(days=1)

    @property
    def is_narrow(self) -> bool:
        return bool(self.words())

    def words(self, *, without: str = "", **more: object) -> dict[str, object]:
        """The question as words of an address, without a place in the list; `without` one of them."""
        days = {"from": self.first, "to": self.last}
        found: dict[str, object] = {
            **self.filters,
            **{name: day.isoformat() for name, day in days.items() if day},
            **({"q": self.search} if self.search else {}),
            **({"refused": "1"} if self.refused else {}),
        }
        found.pop(without, None)
        return {**found, **more}

    def address(self, *, without: str = "", **more: object) -> str:
        return "?" + urlencode(self.words(without=without, **more))


def read(query: Mapping[str, str]) -> Question:
    """Raises BadQuestion."""
    filters = {word: query.get(word, "").strip() for word in WORDS}
    if any("\0" in text or len(text) > WORDS[word] for word, text in filters.items()):
        raise BadQuestion("One of the filters is too long. Choose a value from the table.")
    if "@" in filters["actor"]:
        filters["actor"] = filters["actor"].lower()
    first, last = _day(query.get("from", "")), _day(query.get("to", ""))
    if first and last and last < first:
        raise BadQuestion("The period ends before it begins. Choose an end that is later.")
    return Question(
        {word: text for word, text in filters.items() if text},
        query.get("q", "").replace("\0", " ").strip()[:_LONGEST_SEARCH],
        first,
        last,
        query.get("refused") == "1",
        _number(query.get("before", "")),
        _number(query.get("after", "")),
    )


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        raise BadQuestion("A day is needed, such as 2026-11-22.") from None


def _number(text: str) -> int | None:
    if not (text.isascii() and text.isdigit()) or len(text) > 19:
        return None
    return min(int(text), _MOST_NUMBER)

"""How any part of a document is read: key by key, every problem noted with the path of what is wrong. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from deployments.document import rules
from deployments.document.rules import Refused

MOST_UNKNOWN_KEYS = 20


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a document."""

    path: str
    """Dotted, as in "spec.resources.limits.memory"; list items by index, as in "spec.environment[2].name"."""
    message: str
    """A sentence with the value, the rule and the fix."""

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class InvalidDocument(ValueError):
    """The document cannot be used; every problem that was found is listed."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


def rows(raw: object, at: str, problems: list[Problem], most: int) -> list[object]:
    if raw is None:
        return []
    if not isinstance(raw, list):
        problems.append(Problem(at, "This must be a list."))
        return []
    if len(raw) > most:
        problems.append(Problem(at, f"{len(raw)} entries are too many. At most {most} are allowed."))
        return []
    return raw


class Section:
    """One mapping of the document, read key by key; problems are noted with their full path."""

    def __init__(self, raw: object, at: str, problems: list[Problem], known: set[str]) -> None:
        self.at, self.problems = at, problems
        self._before = len(problems)
        self.raw: Mapping[str, Any] = raw if isinstance(raw, dict) else {}
        if not isinstance(raw, dict):
            what = "is missing" if raw is None else "must be a mapping"
            problems.append(Problem(at or "document", f"This part {what}."))
        unknown = [key for key in self.raw if key not in known]
        for key in unknown[:MOST_UNKNOWN_KEYS]:
            self.note(rules.shown(key, 60), f"This key is not known here. Known: {', '.join(sorted(known))}.")
        if len(unknown) > MOST_UNKNOWN_KEYS:
            more = len(unknown) - MOST_UNKNOWN_KEYS
            problems.append(Problem(at or "document", f"{more} more keys are not known here."))

    @property
    def failed(self) -> bool:
        return len(self.problems) > self._before

    def note(self, key: str, message: str) -> None:
        self.problems.append(Problem(f"{self.at}.{key}" if self.at else key, message))

    def get(self, key: str) -> Any:
        return self.raw.get(key)

    def section(self, key: str, known: set[str], *, optional: bool = False) -> Section:
        raw = self.raw.get(key)
        at = f"{self.at}.{key}" if self.at else key
        return Section({} if raw is None and optional else raw, at, self.problems, known)

    def value(self, key: str, rule: Callable[[Any], Any], default: Any = ...) -> Any:
        """The value after its rule; a missing one is the default, or a problem when there is none."""
        raw = self.raw.get(key)
        if raw is None or raw == "":
            if default is ...:
                self.note(key, "A value is needed here.")
                return None
            return default
        try:
            return rule(raw)
        except Refused as refused:
            self.note(key, str(refused))
            return None

    def items(self, key: str, rule: Callable[[Any], Any], most: int) -> tuple[Any, ...]:
        at = f"{self.at}.{key}" if self.at else key
        values = []
        for index, raw in enumerate(rows(self.raw.get(key), at, self.problems, most)):
            try:
                values.append(rule(raw))
            except Refused as refused:
                self.note(f"{key}[{index}]", str(refused))
        return tuple(values)

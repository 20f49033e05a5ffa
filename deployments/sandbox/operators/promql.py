"""A small part of PromQL: enough for the questions that an autoscaler asks about engines.

Selectors with `=`, `!=`, `=~`, `!~`; `sum`, `avg`, `min`, `max`, `count` over everything; `vector`; `+ - * /`; `or`.
Pure: samples in, a vector or a number out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """One series at this moment."""

    name: str
    labels: Labels
    value: float


Vector = list[tuple[Labels, float]]
Value = Vector | float


class QueryError(Exception):
    """A query that this Prometheus cannot read: it answers 400."""


_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)"
    r'|(?P<text>"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\')|(?P<sign>=~|!~|!=|[-+*/(){},=]))'
)
_AGGREGATES: dict[str, Callable[[list[float]], float]] = {
    "sum": sum,
    "avg": lambda values: sum(values) / len(values),
    "min": min,
    "max": max,
    "count": lambda values: float(len(values)),
}
_LONGEST_QUERY, _DEEPEST = 4_000, 50


def evaluate(query: str, samples: Iterable[Sample]) -> Value:
    """The value of a query. Raises QueryError."""
    if len(query) > _LONGEST_QUERY:
        raise QueryError("the query is too long")
    reader = _Reader(_tokens(query), list(samples))
    value = reader.expression()
    if reader.left():
        raise QueryError(f"unexpected {reader.left()[0]!r}")
    return value


def _tokens(query: str) -> list[str]:
    tokens, at = [], 0
    while at < len(query.rstrip()):
        match = _TOKEN.match(query, at)
        if match is None:
            raise QueryError(f"unexpected character at {at}")
        tokens.append(match[0].strip())
        at = match.end()
    return tokens


class _Reader:
    """Reads and evaluates in one go, from the loosest operator to the tightest."""

    def __init__(self, tokens: list[str], samples: list[Sample]) -> None:
        self._tokens = tokens
        self._samples = samples
        self._at = 0
        self._depth = 0

    def left(self) -> list[str]:
        """What has not been read."""
        return self._tokens[self._at :]

    def expression(self) -> Value:
        """The whole, or what stands in parentheses."""
        self._depth += 1
        if self._depth > _DEEPEST:
            raise QueryError("the query is nested too deeply")
        value = self._sum()
        while self._next() == "or":
            self._take()
            other = self._sum()
            if not isinstance(value, list) or not isinstance(other, list):
                raise QueryError("set operator or not allowed in binary scalar expression")
            known = {labels for labels, _value in value}
            value = value + [each for each in other if each[0] not in known]
        self._depth -= 1
        return value

    def _sum(self) -> Value:
        value = self._product()
        while self._next() in ("+", "-"):
            value = _combine(self._take(), value, self._product())
        return value

    def _product(self) -> Value:
        value = self._single()
        while self._next() in ("*", "/"):
            value = _combine(self._take(), value, self._single())
        return value

    def _single(self) -> Value:
        word = self._take()
        if word == "(":
            value = self.expression()
            self._expect(")")
            return value
        if word[:1].isdigit():
            return float(word)
        if word == "{":
            self._at -= 1
            return self._select("")
        if not re.match(r"[a-zA-Z_:]", word):
            raise QueryError(f"unexpected {word!r}")
        if self._next() == "(":
            return self._call(word)
        return self._select(word)

    def _call(self, name: str) -> Value:
        self._expect("(")
        inner = self.expression()
        self._expect(")")
        if name == "vector" and isinstance(inner, float):
            return [((), inner)]
        aggregate = _AGGREGATES.get(name)
        if aggregate is None or not isinstance(inner, list):
            raise QueryError(f"unknown function with name {name!r}")
        return [((), aggregate([value for _labels, value in inner]))] if inner else []

    def _select(self, name: str) -> Vector:
        tests: list[Callable[[dict[str, str]], bool]] = []
        if self._next() == "{":
            self._take()
            while self._next() != "}":
                tests.append(self._matcher())
                if self._next() == ",":
                    self._take()
            self._take()
        found: Vector = []
        for sample in self._samples:
            labels = {**dict(sample.labels), "__name__": sample.name}
            if name in ("", sample.name) and all(test(labels) for test in tests):
                found.append((sample.labels, sample.value))
        return found

    def _matcher(self) -> Callable[[dict[str, str]], bool]:
        label, sign, text = self._take(), self._take(), self._take()
        if text[:1] not in "\"'" or len(text) < 2:
            raise QueryError(f"unexpected {text!r} in label matching, expected string")
        value = re.sub(r"\\(.)", r"\1", text[1:-1])
        if sign in ("=", "!="):
            return lambda labels: (labels.get(label, "") == value) == (sign == "=")
        if sign not in ("=~", "!~"):
            raise QueryError(f"unexpected {sign!r} in label matching")
        try:
            pattern = re.compile(value)
        except re.error as error:
            raise QueryError(f"error parsing regexp: {error}") from None
        return lambda labels: (pattern.fullmatch(labels.get(label, "")) is not None) == (sign == "=~")

    def _next(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._next()
        if not token:
            raise QueryError("unexpected end of input")
        self._at += 1
        return token

    def _expect(self, token: str) -> None:
        if self._take() != token:
            raise QueryError(f"expected {token!r}")


def _combine(sign: str, left: Value, right: Value) -> Value:
    def one(first: float, second: float) -> float:
        match sign:
            case "+":
                return first + second
            case "-":
                return first - second
            case "*":
                return first * second
        return first / second if second else float("nan")

    if isinstance(left, list) and isinstance(right, list):
        known = dict(right)
        return [(labels, one(value, known[labels])) for labels, value in left if labels in known]
    if isinstance(left, list):
        return [(labels, one(value, float(right))) for labels, value in left if isinstance(right, float)]
    if isinstance(right, list):
        return [(labels, one(left, value)) for labels, value in right]
    return one(left, right)

"""What is sent, as text that can be kept: no NUL and no half of a character, which PostgreSQL takes from nobody."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.http import HttpRequest
from ninja import Schema
from ninja.parser import Parser
from pydantic import ConfigDict

_DEEPEST = 32


class Given(Schema):
    """What an operation takes: these values, and no others."""

    model_config = ConfigDict(extra="forbid")


class BodyParser(Parser):
    """JSON, as deep as people write it. What it raises is answered with 400."""

    def parse_body(self, request: HttpRequest) -> Any:
        body = super().parse_body(request)
        if not all(map(_can_be_kept, _texts(body))):
            raise ValueError("A text in the body holds what is no character.")
        return body


def _texts(value: Any, depth: int = 0) -> Iterator[str]:
    if depth > _DEEPEST:
        raise ValueError(f"The body is nested more than {_DEEPEST} times.")
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
        for each in value.values():
            yield from _texts(each, depth + 1)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each, depth + 1)


def _can_be_kept(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text

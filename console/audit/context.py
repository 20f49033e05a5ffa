"""Who acts at this moment: the person of a request, a program, or an access key. Entries take it from here.

The middleware sets it for requests, `acting_as_program` for commands and tasks. Where nobody said anything, the
program is named as it was started.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from django.http import HttpRequest

from console import origin


class ActorKind(StrEnum):
    PERSON = "person"
    PROGRAM = "program"
    ACCESS_KEY = "access_key"
    NOBODY = "nobody"
    """A request of somebody who has not signed in."""


class Actor(NamedTuple):
    """Who. The name is kept when the account is gone; a person's is the e-mail address."""

    kind: ActorKind
    name: str
    id: int | None = None


NOBODY = Actor(ActorKind.NOBODY, "")


@dataclass(frozen=True, slots=True)
class Context:
    """Who acts, and from where."""

    actor: Actor | None = None
    request: HttpRequest | None = None
    address: str = ""
    refusals: list[tuple[Any, ...]] = field(default_factory=list)
    """Of this request, written when it is answered: whatever is rolled back until then, they stay."""

    def who(self) -> Actor:
        """For a request, whoever it is of by now: signing in changes that half-way."""
        if self.actor is not None:
            return self.actor
        return _person(self.request) if self.request is not None else _this_program()


_current: ContextVar[Context] = ContextVar("audit_context", default=Context())  # noqa: B039  (it is frozen)


def current() -> Context:
    return _current.get()


@contextmanager
def acting_as(actor: Actor) -> Iterator[None]:
    """What is recorded inside was done by `actor`, from where the surrounding request comes."""
    token = _current.set(replace(_current.get(), actor=actor))
    try:
        yield
    finally:
        _current.reset(token)


def act_as(actor: Actor) -> None:
    """What is recorded in the rest of this request was done by `actor`: who asks is known only once it is looked at."""
    _current.set(replace(_current.get(), actor=actor))


def acting_as_program(name: str) -> AbstractContextManager[None]:
    """What is recorded inside was done by a program, such as "manage.py apply"."""
    return acting_as(Actor(ActorKind.PROGRAM, name[:254]))


def person(user: Any) -> Actor:
    return Actor(ActorKind.PERSON, user.email, user.pk)


@contextmanager
def answering(request: HttpRequest) -> Iterator[Context]:
    """What is recorded inside was done by the person of the request."""
    context = Context(request=request, address=origin.client_address(request))
    token = _current.set(context)
    try:
        yield context
    finally:
        _current.reset(token)


def _person(request: HttpRequest) -> Actor:
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return NOBODY
    return person(user)


def _this_program() -> Actor:
    """As it was started, such as "manage.py shell"; arguments may be secret and are left out."""
    name = Path(sys.argv[0] or "python").name
    command = sys.argv[1] if name == "manage.py" and len(sys.argv) > 1 else ""
    return Actor(ActorKind.PROGRAM, f"{name} {command}".strip()[:254])

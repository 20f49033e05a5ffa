"""What can go wrong with a call, and every error of every operation as a problem document."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import OperationalError
from django.forms import Form
from django.forms.models import BaseModelForm
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from console import problem_document
from deployments.document import InvalidDocument

logger = logging.getLogger(__name__)


class Problem(Exception):
    """An answer that is no success."""

    def __init__(
        self,
        status: int,
        detail: str = "",
        *,
        word: str = "",
        errors: Iterable[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.word = status, detail, word
        self.errors = list(errors)
        """(path, sentence) of each thing that is wrong with what was sent."""
        self.headers = dict(headers or {})


def answer(problem: Problem) -> HttpResponse:
    answer = problem_document.answer(problem.status, problem.detail, word=problem.word, errors=problem.errors)
    for name, value in problem.headers.items():
        answer[name] = value
    return answer


def of_form(form: Form | BaseModelForm) -> Problem:
    """What is wrong with a form, by the names of its fields."""
    errors = [
        ("" if name == "__all__" else name, str(each))
        for name, found in form.errors.items()
        for each in found
    ]
    return Problem(422, "Look at what is wrong with each value.", errors=errors)


def of_document(invalid: InvalidDocument) -> Problem:
    """The same lines as `manage.py apply` prints."""
    errors = [(each.path, each.message) for each in invalid.problems]
    return Problem(422, "The document is not valid.", word="invalid-document", errors=errors)


def unauthenticated() -> Problem:
    return Problem(
        401,
        "Send an access key as a header: Authorization: Bearer KEY. This one is not known, or no longer valid.",
        headers={"WWW-Authenticate": "Bearer"},
    )


def not_found() -> Problem:
    """Also of what somebody may not see: the two are not told apart."""
    return Problem(404)


def handle(api: NinjaAPI) -> None:
    """Every error of every operation."""

    def on(kind: type[Exception], make: Any) -> None:
        def handler(request: HttpRequest, error: Any) -> HttpResponse:
            return answer(make(error))

        api.add_exception_handler(kind, handler)

    on(Problem, lambda error: error)
    on(AuthenticationError, lambda error: unauthenticated())
    on(Http404, lambda error: not_found())
    on(PermissionDenied, lambda error: Problem(403, str(error) or "Your rights do not include this."))
    on(OperationalError, _of_database)
    on(RequestDataTooBig, lambda error: Problem(413, "At most 1 MiB is taken."))
    on(InvalidDocument, of_document)
    on(HttpError, lambda error: Problem(error.status_code, str(error)))
    on(ValidationError, _of_schema)


def _of_database(error: OperationalError) -> Problem:
    """It is away, or somebody else held the same rows for too long; the next attempt may well succeed."""
    logger.error("The database did not answer: %s", type(error.__cause__ or error).__name__, exc_info=error)
    return Problem(503, "The database did not answer in time. Send it again.", headers={"Retry-After": "5"})


def _of_schema(error: ValidationError) -> Problem:
    places = [
        (
            ".".join(str(part) for part in each["loc"] if part not in ("body", "query", "path", "given")),
            each["msg"],
        )
        for each in error.errors
    ]
    return Problem(422, "Look at what is wrong with each value.", errors=places)

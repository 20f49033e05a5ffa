"""Calls that are made once, however often they are sent: POST with an Idempotency-Key.

The first answer is kept for a day and given again. A call that is still being answered, and an answer that held a
secret, cannot be given again: 409 says so.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any, get_type_hints

from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils import timezone
from ninja import Status

from console.access_key import IdempotentCall
from console.api.problems import Problem

KEPT, LONGEST_CALL = timedelta(days=1), timedelta(minutes=2)
_LONGEST_KEY = 255
ONCE: set[str] = set()
"""Operations by their ids in the OpenAPI document."""


def once(*, secret: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Wraps an operation that returns a Status. `secret`: its answer is not kept."""

    def decorate(operation: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(operation)
        def made(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            key = request.headers.get("Idempotency-Key", "")
            if not key:
                return operation(request, *args, **kwargs)
            if len(key) > _LONGEST_KEY or not key.isprintable():
                raise Problem(400, f"An Idempotency-Key has at most {_LONGEST_KEY} printable characters.")
            call, is_new = _begin(request, key)
            if not is_new:
                return _again(call)
            try:
                answer = operation(request, *args, **kwargs)
            except BaseException:
                # Nothing was done, so the same call may be made again.
                call.delete()
                raise
            kept = None if secret else json.loads(json.dumps(answer.value, default=str))
            IdempotentCall.objects.filter(pk=call.pk).update(status=answer.status_code, body=kept)
            return answer

        ONCE.add(f"{operation.__module__}.{operation.__name__}".replace(".", "_"))
        made.__signature__ = _resolved(operation)  # type: ignore[attr-defined]
        return made

    return decorate


def _resolved(operation: Callable[..., Any]) -> inspect.Signature:
    """With classes instead of their names, which would be looked up in this module."""
    hints, signature = get_type_hints(operation, include_extras=True), inspect.signature(operation)
    parameters = [
        each.replace(annotation=hints.get(name, each.annotation))
        for name, each in signature.parameters.items()
    ]
    return signature.replace(parameters=parameters)


def _begin(request: Any, key: str) -> tuple[IdempotentCall, bool]:
    owner, now = request.auth.owner, timezone.now()
    digest = hashlib.sha256(
        f"{request.method} {request.get_full_path()}\n".encode() + request.body
    ).hexdigest()
    mine = IdempotentCall.objects.filter(owner=owner, key=key)
    mine.filter(created_at__lt=now - KEPT).delete()
    # A process that died while it answered leaves a call that nobody will finish.
    mine.filter(status__isnull=True, created_at__lt=now - LONGEST_CALL).delete()
    try:
        with transaction.atomic():
            return IdempotentCall.objects.create(owner=owner, key=key, request=digest), True
    except IntegrityError:
        found = mine.first()
        if found is None:
            raise Problem(409, "The same call ended in this moment. Send it again.") from None
        if found.request != digest:
            raise Problem(
                422, "This Idempotency-Key was used for another request.", word="idempotency-key-reused"
            ) from None
        return found, False


def _again(call: IdempotentCall) -> Any:
    if call.status is None:
        raise Problem(409, "The same call is being answered at this moment.", word="in-progress")
    if call.body is None:
        raise Problem(
            409, "It was done already, and its answer held a secret that is shown once.", word="shown-once"
        )
    return Status(call.status, call.body)

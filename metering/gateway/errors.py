"""Refusals in OpenAI's shape, so that its official clients raise their usual exceptions and retry rightly. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

Header = tuple[bytes, bytes]


class Refusal(Exception):
    """An answer that is no success: {"error": {"message", "type", "param", "code"}} with a status and headers."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        headers: Sequence[Header] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = msgspec.json.encode(
            {"error": {"message": message, "type": kind, "param": param, "code": code}}
        )
        self.headers = tuple(headers)


def no_key() -> Refusal:
    message = "No API key was sent. Send it as a header: Authorization: Bearer YOUR_KEY."
    return _unauthorized(message)


def unknown_key() -> Refusal:
    """Also for keys that are revoked or expired: a stranger learns nothing from the difference."""
    return _unauthorized("This API key is not known here, or no longer valid.")


def suspended() -> Refusal:
    """The key is right; only who owns it may not use anything at present."""
    message = (
        "Your organisation is suspended, so its API keys do not work. Ask the people who run this platform."
    )
    return Refusal(403, message, kind="permission_error", code="organization_suspended")


def _unauthorized(message: str) -> Refusal:
    challenge = ((b"www-authenticate", b"Bearer"),)
    return Refusal(401, message, code="invalid_api_key", headers=challenge)


def unknown_model(name: str) -> Refusal:
    """The same for a model that does not exist and for one that is not shared with this key."""
    message = f"The model `{name[:100]}` does not exist or you do not have access to it."
    return Refusal(404, message, code="model_not_found", param="model")


def not_serving(name: str, why: str) -> Refusal:
    return Refusal(
        503,
        f"The model `{name}` {why} Try again later.",
        kind="server_error",
        code="model_unavailable",
        headers=((b"retry-after", b"10"),),
    )


def engine_failed(sent: bool) -> Refusal:
    message = (
        "The engine ended before its answer was complete. Try again."
        if sent
        else "The engine of this model cannot be reached at the moment. Try again."
    )
    return Refusal(
        502 if sent else 503,
        message,
        kind="server_error",
        code="engine_failed",
        headers=((b"retry-after", b"2"),),
    )


def too_slow() -> Refusal:
    return Refusal(
        504,
        "The engine did not answer in time. Try again, or ask for less.",
        kind="server_error",
        code="engine_timeout",
    )


def overloaded() -> Refusal:
    message = "The gateway has as many requests as it can hold. Try again in a second."
    return Refusal(503, message, kind="server_error", code="overloaded", headers=((b"retry-after", b"1"),))


def bad_request(message: str, param: str | None = None, code: str | None = None) -> Refusal:
    return Refusal(400, message, param=param, code=code)


_KINDS = {429: "rate_limit_error"}


def of_engine(status: int, body: bytes, served: str) -> Refusal:
    """An engine's error in OpenAI's shape. Engines differ: {"error": {...}}, {"error": "text"}, {"detail": "text"}.

    What an engine says of itself (5xx, its own keys) is no business of a tenant; what it says of the request is.
    """
    message = _message(body)
    if status in (401, 403, 407) or 300 <= status < 400 or status < 200:
        return engine_failed(sent=True)
    if status in (404, 405):
        if _names_model(body):
            return engine_failed(sent=True)  # the engine does not serve what we routed to it
        return bad_request(f"The model `{served}` does not offer this kind of request.", code="unsupported")
    if status >= 500:
        code = "engine_busy" if status == 503 else "engine_failed"
        text = "The engine is busy. Try again." if status == 503 else "The engine failed. Try again."
        headers: tuple[Header, ...] = ((b"retry-after", b"2"),) if status == 503 else ()
        return Refusal(
            status if status in (503, 504) else 502, text, kind="server_error", code=code, headers=headers
        )
    is_too_long = "maximum context length" in message
    return Refusal(
        status,
        message or "The engine refused the request.",
        kind=_KINDS.get(status, "invalid_request_error"),
        code="context_length_exceeded" if is_too_long else None,
        param=_param(body),
    )


def _read(body: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return {}
    return found if isinstance(found, dict) else {}


def _message(body: bytes) -> str:
    found = _read(body)
    error = found.get("error")
    if isinstance(error, dict):
        error = error.get("message")
    text = error or found.get("message") or found.get("detail")
    return text[:2000] if isinstance(text, str) else ""


def _param(body: bytes) -> str | None:
    error = _read(body).get("error")
    param = error.get("param") if isinstance(error, dict) else None
    return param[:100] if isinstance(param, str) else None


def _names_model(body: bytes) -> bool:
    return _param(body) == "model"

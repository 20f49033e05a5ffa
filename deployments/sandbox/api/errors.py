"""Refusals, in the shape in which a Kubernetes API server says them (a `Status` object)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    406: "NotAcceptable",
    409: "Conflict",
    410: "Expired",
    413: "RequestEntityTooLarge",
    415: "UnsupportedMediaType",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


class ApiError(Exception):
    """A refused request: an HTTP status, the machine-readable reason and one sentence."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        reason: str = "",
        details: dict[str, Any] | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.reason = reason or _REASONS.get(status, "Unknown")
        self.details = details or {}
        self.retry_after = retry_after

    def body(self) -> dict[str, Any]:
        """The `Status` object that a client receives."""
        details = dict(self.details)
        if self.retry_after is not None:
            details["retryAfterSeconds"] = self.retry_after
        body: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.status,
        }
        if details:
            body["details"] = details
        return body


def not_found(resource: str, name: str, group: str = "") -> ApiError:
    """404 for one object; `resource` is the plural."""
    qualified = f"{resource}.{group}" if group else resource
    return ApiError(
        404,
        f'{qualified} "{name}" not found',
        details={"name": name, "group": group, "kind": resource},
    )


def already_exists(resource: str, name: str, group: str = "") -> ApiError:
    """409 for a create whose name is taken."""
    qualified = f"{resource}.{group}" if group else resource
    return ApiError(
        409,
        f'{qualified} "{name}" already exists',
        reason="AlreadyExists",
        details={"name": name, "group": group, "kind": resource},
    )


def modified(resource: str, name: str, group: str = "") -> ApiError:
    """409 for a write that was based on an older resourceVersion."""
    qualified = f"{resource}.{group}" if group else resource
    return ApiError(
        409,
        f'Operation cannot be fulfilled on {qualified} "{name}": the object has been modified; '
        "please apply your changes to the latest version and try again",
        details={"name": name, "group": group, "kind": resource},
    )


def forbidden(resource: str, name: str, why: str, group: str = "") -> ApiError:
    """403 by admission: quota, a webhook, a namespace that is going away."""
    qualified = f"{resource}.{group}" if group else resource
    return ApiError(
        403,
        f'{qualified} "{name}" is forbidden: {why}',
        details={"name": name, "group": group, "kind": resource},
    )


def invalid(kind: str, name: str, causes: Iterable[tuple[str, str]], group: str = "") -> ApiError:
    """422 with one cause per wrong field; `causes` are (path, sentence) pairs."""
    listed = list(causes)
    told = [f"{path}: {sentence}" for path, sentence in listed]
    text = told[0] if len(told) == 1 else "[" + ", ".join(told) + "]"
    qualified = f"{kind}.{group}" if group else kind
    return ApiError(
        422,
        f'{qualified} "{name}" is invalid: {text}',
        details={
            "name": name,
            "group": group,
            "kind": kind,
            "causes": [
                {"reason": "FieldValueInvalid", "message": sentence, "field": path}
                for path, sentence in listed
            ],
        },
    )

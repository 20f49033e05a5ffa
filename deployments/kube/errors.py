"""What can go wrong between us and a Kubernetes API, as a family of our own.

Callers need two facts about a failure: is it worth trying again (`Retryable`, and when), or does a person
have to act (`Terminal`). The official client's exceptions tell neither, and carry whole response bodies,
which may hold secrets; therefore nothing of a body but the API server's own `Status` sentence gets in here,
cut to length, and bodies that are no `Status` are dropped. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

LONGEST_MESSAGE = 600


class KubeError(Exception):
    """A request to a Kubernetes API failed.

    `str()` is one sentence for people; `code` is a stable word for code, tests and stored refusals;
    `status` is the HTTP status, or None when there was no answer.
    """

    code = "error"
    remedy = ""

    def __init__(self, sentence: str, *, status: int | None = None, remedy: str | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        if remedy is not None:
            self.remedy = remedy

    @property
    def sentence(self) -> str:
        return str(self)


class Retryable(KubeError):
    """The same request may succeed later. `retry_after`: the server's own wish in seconds, if it has one."""

    def __init__(
        self,
        sentence: str,
        *,
        status: int | None = None,
        remedy: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(sentence, status=status, remedy=remedy)
        self.retry_after = retry_after


class Terminal(KubeError):
    """The same request fails until somebody changes something."""


class Unreachable(Retryable):
    """No answer: name not found, refused, reset, or too slow. A write may have been applied nevertheless."""

    code = "unreachable"
    remedy = "Check that the cluster runs and that its address can be reached from this console."


class TooManyRequests(Retryable):
    code = "too-many-requests"
    remedy = "The cluster asks for patience. Slipway tries again by itself."


class ServerError(Retryable):
    code = "server-error"
    remedy = "The cluster has a fault of its own. Slipway tries again by itself."


class Expired(Retryable):
    """The server no longer has the state that a list began from. A new list begins from the present one."""

    code = "expired"
    remedy = "Slipway asks again by itself."


class Conflict(Retryable):
    """The object changed, or appeared, between our reading and our writing."""

    code = "conflict"


class Unauthorised(Terminal):
    code = "unauthorised"
    remedy = "Upload a new kubeconfig: the credentials of this one are no longer accepted."


class Forbidden(Terminal):
    code = "forbidden"
    remedy = "Give the cluster's account the permission, then check the connection."


class QuotaExceeded(Forbidden):
    code = "quota"
    remedy = "Raise the quota of the namespace, or ask for less."


class AdmissionDenied(Forbidden):
    code = "admission"
    remedy = "Change the deployment so that the cluster's policy allows it, or ask for an exception."


class NotFound(Terminal):
    code = "not-found"


class Invalid(Terminal):
    code = "invalid"
    remedy = "Correct the value and save a new revision."


class Untrusted(Terminal):
    """The server's certificate is not what the kubeconfig says it must be."""

    code = "untrusted"
    remedy = "Check the certificate authority in the kubeconfig."


class RefusedAddress(Terminal):
    """The name leads to an address that we do not connect to."""

    code = "refused-address"
    remedy = "Use the address of a Kubernetes API."


class TooLarge(Terminal):
    """The answer is longer than we are willing to read."""

    code = "too-large"
    remedy = "Check that the address is that of a Kubernetes API."


class Unreadable(Terminal):
    """The answer is not what a Kubernetes API sends."""

    code = "unreadable"
    remedy = "Check that the address is that of a Kubernetes API."


class _Details(msgspec.Struct):
    retryAfterSeconds: float | None = None


class _StatusBody(msgspec.Struct):
    kind: str = ""
    message: str | None = None
    reason: str | None = None
    details: _Details | None = None


_DECODER = msgspec.json.Decoder(_StatusBody)
_DENIAL = re.compile(r"admission webhook|denied the request|violates PodSecurity|ValidatingAdmissionPolicy")


def from_answer(status: int, headers: Mapping[str, str], body: bytes, doing: str) -> KubeError:
    """The error for an HTTP answer that is no success.

    `doing` says what was asked, as in "apply StatefulSet md-chat".
    """
    told = _status_of(body)
    message = _cut(told.message or "") if told else ""
    sentence = f"Cannot {doing}: {message or _plain(status)}" + ("" if message.endswith(".") else ".")
    wait = _retry_after(headers, told)
    if status == 401:
        return Unauthorised(f"Cannot {doing}: the cluster does not accept our credentials.", status=status)
    if status == 403:
        if "exceeded quota" in message:
            return QuotaExceeded(sentence, status=status)
        if _DENIAL.search(message):
            return AdmissionDenied(sentence, status=status)
        return Forbidden(sentence, status=status)
    if status == 404:
        return NotFound(sentence, status=status)
    if status == 410:
        return Expired(sentence, status=status, retry_after=wait)
    if status == 409:
        return Conflict(sentence, status=status, retry_after=wait)
    if status in (408, 429):
        return TooManyRequests(sentence, status=status, retry_after=wait)
    if status >= 500:
        return ServerError(sentence, status=status, retry_after=wait)
    if 300 <= status < 400:
        return Unreadable(
            f"Cannot {doing}: the server answers with a redirect, which is not followed.", status=status
        )
    # A webhook may deny with any status between 400 and 499.
    return (AdmissionDenied if _DENIAL.search(message) else Invalid)(sentence, status=status)


def _status_of(body: bytes) -> _StatusBody | None:
    try:
        told = _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return told if told.kind == "Status" else None


def _cut(message: str) -> str:
    line = " ".join(message.replace("\x00", "").split())
    return line if len(line) <= LONGEST_MESSAGE else line[:LONGEST_MESSAGE].rstrip() + "…"


def _plain(status: int) -> str:
    return f"the server answers with HTTP status {status}"


def _retry_after(headers: Mapping[str, str], told: _StatusBody | None) -> float | None:
    """Seconds, at most an hour; a date or nonsense counts as no wish."""
    raw = headers.get("Retry-After")
    if raw is not None and raw.strip().isascii() and raw.strip().isdigit():
        return min(float(raw), 3600.0)
    if told and told.details and told.details.retryAfterSeconds:
        return min(max(told.details.retryAfterSeconds, 0.0), 3600.0)
    return None

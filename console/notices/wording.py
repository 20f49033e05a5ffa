"""A notice as a mail and as the body of a webhook. Pure: values in, text out."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any, Protocol

from console.notices.kinds import Kind

LONGEST_SUBJECT = 180
_CONTROL = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class Told(Protocol):
    """What is read of a notice."""

    id: Any
    kind: str
    subject: str
    place: str
    sentence: str
    remedy: str
    path: str
    facts: Any
    times: int
    first_at: datetime
    at: datetime


def one_line(text: str, most: int) -> str:
    """Without control characters or line breaks: names are typed in by people, and stand in headers of mail."""
    plain = _CONTROL.sub(" ", text).strip()
    return plain if len(plain) <= most else plain[: most - 1] + "…"


def subject(notice: Told, environment: str = "") -> str:
    """What and where: "[Slipway Production] Deployment failed: chat on fra-1"."""
    product = one_line(f"Slipway {environment}", 40)
    place = f" {notice.place}" if notice.place else ""
    return one_line(f"[{product}] {Kind(notice.kind).label}: {notice.subject}{place}", LONGEST_SUBJECT)


def how_often(notice: Told) -> str:
    """Empty when it happened once."""
    if notice.times == 1:
        return ""
    first, last = (f"{at.astimezone(UTC):%-d %b %H:%M:%S}" for at in (notice.first_at, notice.at))
    return (
        f"This happened {notice.times} times, first at {first} and last at {last} UTC. This is the last one:"
    )


def mail(notice: Told, console: str, name: str) -> str:
    """The body of a mail. `console`: base address; `name`: of the subscription that asked for it."""
    base = console.rstrip("/")
    reason = f"You get this because of “{one_line(name, 100)}” under {base}/notifications/."
    at = f"{notice.at.astimezone(UTC):%-d %b %Y %H:%M:%S} UTC."
    parts = (how_often(notice), notice.sentence, notice.remedy, base + notice.path, f"{at} {reason}")
    return "\n\n".join(part for part in parts if part) + "\n"


def payload(notice: Told, console: str) -> bytes:
    """The body of a webhook: the same bytes for the same notice."""
    body = {
        "id": str(notice.id),
        "type": str(notice.kind),
        "timestamp": notice.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "data": {
            "subject": notice.subject,
            "sentence": notice.sentence,
            "remedy": notice.remedy,
            "url": console.rstrip("/") + notice.path,
            "times": notice.times,
            **notice.facts,
        },
    }
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()

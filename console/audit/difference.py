"""What a change changed, as JSON: {field: [before, after]}, only where the two differ, with secrets masked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from enum import Enum
from typing import Any

from console.encryption import Sealed, UnreadableSecret

SET, CHANGED = "Secret", "Another secret"
"""What stands for a secret, and for a secret that takes the place of one."""
MOST_FIELDS = 100
LONGEST = 500
_SECRET = re.compile(
    r"(^|[._ -])(password|passphrase|secret|token|kubeconfig|credential|authorization|cookie|"
    r"(api|private|access|tls|ngc|secret|signing|encryption)[ _-]?key)$",
    re.IGNORECASE,
)
Changes = dict[str, list[Any]]


def difference(before: Mapping[str, object] | None, after: Mapping[str, object] | None) -> Changes:
    """None before: it was made. None after: it is gone. At most MOST_FIELDS fields; long texts are cut."""
    old, new = before or {}, after or {}
    found: Changes = {}
    for name in [*old, *(name for name in new if name not in old)]:
        pair = _pair(str(name), old.get(name), new.get(name))
        if pair[0] != pair[1] and len(found) < MOST_FIELDS:
            # Cut last: what differs only far behind still differs.
            found[text(str(name), 100)] = [_cut(value) for value in pair]
    return found


def is_secret_name(name: str) -> bool:
    """Whether a text under this name is a secret by all appearances."""
    return bool(_SECRET.search(name))


def text(value: str, longest: int) -> str:
    """As PostgreSQL and JSON can hold it, cut with an ellipsis."""
    plain = value.replace("\x00", "�").encode("utf-8", "replace").decode("utf-8")
    return plain if len(plain) <= longest else plain[: longest - 1] + "…"


def _pair(name: str, before: object, after: object) -> list[Any]:
    if isinstance(before, Sealed) or isinstance(after, Sealed) or _is_secret(name, before, after):
        if not before or not after:
            return [SET if before else None, SET if after else None]
        return [SET, SET if _same(before, after) else CHANGED]
    return [_plain(before), _plain(after)]


def _is_secret(name: str, *values: object) -> bool:
    """A text under such a name; a flag or a number, as in `has_token`, tells nothing."""
    return is_secret_name(name) and any(isinstance(value, str | bytes) for value in values)


def _same(before: object, after: object) -> bool:
    """By what they say: the same text sealed twice looks different. Of what no key opens, by how it looks."""
    try:
        return _opened(before) == _opened(after)
    except UnreadableSecret:
        return (
            isinstance(before, Sealed) and isinstance(after, Sealed) and before.ciphertext == after.ciphertext
        )


def _opened(value: object) -> object:
    return value.reveal() if isinstance(value, Sealed) else value


def _plain(value: object) -> Any:
    """A JSON value that is written the same way for ever. What JSON has no word for becomes text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, int):
        return value if abs(value) < 2**53 else str(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return [f"{key}: {_plain(each)}" for key, each in value.items()]
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(map(str, value)) if isinstance(value, set | frozenset) else value
        return [str(_plain(item)) for item in items]
    return str(value)


def _cut(value: Any) -> Any:
    if isinstance(value, list):
        return [text(item, LONGEST) for item in value[:MOST_FIELDS]]
    return text(value, LONGEST) if isinstance(value, str) else value


def as_diff(changes: Changes) -> str:
    """For components/diff.html: a line that goes, a line that comes, field by field."""
    lines: list[str] = []
    for name, pair in sorted(changes.items()):
        for sign, value in zip("-+", pair, strict=True):
            lines += _signed(sign, name, value)
    return "\n".join(lines)


def _signed(sign: str, name: str, value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, list):
        said = ", ".join(value) or "(none)"
    else:
        said = str(value).lower() if isinstance(value, bool) else str(value)
    first, *rest = said.splitlines() or ["(empty)"]
    return [f"{sign} {name}: {first}", *(f"{sign}   {line}" for line in rest)]

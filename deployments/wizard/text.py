"""Text as it came in, made fit for a page and for the database.

What people type is judged by the document's rules and refused with a sentence. It is still shown again and kept in
the draft, and neither a page nor a JSON column can hold a NUL character or half of a surrogate pair.
"""

from __future__ import annotations

from typing import Any

_STAND_IN = "\N{REPLACEMENT CHARACTER}"
_UNFIT = {0: _STAND_IN} | dict.fromkeys(range(0xD800, 0xE000), _STAND_IN)


def fit(text: str) -> str:
    """The text with a stand-in for each character that can be neither stored nor shown."""
    return text.translate(_UNFIT)


def fit_all(raw: Any) -> Any:
    """The same for every text in lists and mappings."""
    if isinstance(raw, str):
        return fit(raw)
    if isinstance(raw, list):
        return [fit_all(item) for item in raw]
    if isinstance(raw, dict):
        return {key: fit_all(value) for key, value in raw.items()}
    return raw

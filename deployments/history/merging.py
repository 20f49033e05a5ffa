"""Two changes that began from the same document become one: field by field, so that neither takes the other back.

Works on plain values: parts of documents as they are written (document.to_mapping). Pure: no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_ABSENT: Any = object()


def merged(begun: Any, theirs: Any, mine: Any) -> Any:
    """What `theirs` says, with everything that `mine` changed since `begun`; where both changed a value, mine.

    Mappings are merged key by key, lists of named rows (variables) row by row; any other list is one value, as is
    the part of an engine of another kind: its fields mean something else.
    """
    result = _merged(begun, theirs, mine)
    return None if result is _ABSENT else result


def _merged(begun: Any, theirs: Any, mine: Any) -> Any:
    if mine == begun:
        return theirs
    if theirs in (begun, mine):
        return mine
    if _are_mappings(theirs, mine) and _same_kind(theirs, mine):
        base: Mapping[str, Any] = begun if isinstance(begun, Mapping) else {}
        return _by_key(base, theirs, mine)
    if _are_rows(theirs, mine):
        base = _rows(begun) if isinstance(begun, list) and _has_names(begun) else {}
        return list(_by_key(base, _rows(theirs), _rows(mine)).values())
    return mine


def _by_key(begun: Mapping[str, Any], theirs: Mapping[str, Any], mine: Mapping[str, Any]) -> dict[str, Any]:
    """Their order, then what only mine has."""
    keys = dict.fromkeys([*theirs, *mine])
    made = {
        key: _merged(begun.get(key, _ABSENT), theirs.get(key, _ABSENT), mine.get(key, _ABSENT))
        for key in keys
    }
    return {key: value for key, value in made.items() if value is not _ABSENT}


def _are_mappings(theirs: Any, mine: Any) -> bool:
    return isinstance(theirs, Mapping) and isinstance(mine, Mapping)


def _same_kind(theirs: Mapping[str, Any], mine: Mapping[str, Any]) -> bool:
    """Whether the same keys mean the same in both: engines by kind, variables by whether they are secret."""
    return all(theirs.get(key) == mine.get(key) for key in ("kind", "mode", "secret"))


def _are_rows(theirs: Any, mine: Any) -> bool:
    return isinstance(theirs, list) and isinstance(mine, list) and _has_names(theirs) and _has_names(mine)


def _has_names(rows: list[Any]) -> bool:
    names = [row.get("name") if isinstance(row, Mapping) else None for row in rows]
    return all(isinstance(name, str) for name in names) and len(set(names)) == len(names)


def _rows(rows: list[Any]) -> dict[str, Any]:
    return {row["name"]: row for row in rows}

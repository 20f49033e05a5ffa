"""Does a live object still say what we want it to say?

The API server fills in defaults, spells quantities its own way and lets others add fields; none of that is a
difference. A live object is like the desired one when everything desired is found in it. What we no longer want
cannot be seen this way: for that the plan keeps a digest of what was applied last. Pure.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from deployments import quantity

_MERGE_KEYS = ("name", "containerPort", "port", "mountPath", "key", "type", "path", "host")
#: Only where the schema has quantities: an argument "1000m" is not the argument "1".
_QUANTITY_NAMES = {"requests", "limits", "storage", "sizeLimit"}


def is_like(desired: Mapping[str, Any], live: Mapping[str, Any]) -> bool:
    """True when nothing of `desired` is missing from `live` or different there."""
    return not differences(desired, live)


def differences(desired: Mapping[str, Any], live: Mapping[str, Any]) -> list[str]:
    """Paths at which `live` does not say what `desired` says, without values: they may be secret."""
    found: list[str] = []
    _compare(_in_stored_form(desired), live, "", found)
    return found


def _in_stored_form(desired: Mapping[str, Any]) -> Mapping[str, Any]:
    """A Secret's stringData is stored as data in base64."""
    if desired.get("kind") != "Secret" or not desired.get("stringData"):
        return desired
    encoded = {
        key: base64.b64encode(str(value).encode()).decode() for key, value in desired["stringData"].items()
    }
    rest = {key: value for key, value in desired.items() if key != "stringData"}
    return {**rest, "data": {**(rest.get("data") or {}), **encoded}}


def _compare(desired: Any, live: Any, path: str, found: list[str], of_quantities: bool = False) -> None:
    """`of_quantities`: this is a quantity, or a map of them."""
    if desired is None or (live is None and not desired):
        # Nothing, an empty list and False are not stored.
        return
    if isinstance(desired, Mapping):
        if not isinstance(live, Mapping):
            found.append(path)
            return
        for key, value in desired.items():
            quantities = of_quantities or key in _QUANTITY_NAMES
            _compare(value, live.get(key), f"{path}.{key}" if path else key, found, quantities)
    elif isinstance(desired, list | tuple):
        _compare_lists(list(desired), live, path, found)
    elif desired != live and not (of_quantities and _same_quantity(desired, live)):
        found.append(path)


def _compare_lists(desired: list[Any], live: Any, path: str, found: list[str]) -> None:
    if not isinstance(live, list):
        found.append(path)
        return
    key = _merge_key(desired)
    if key is None:
        if len(desired) != len(live):
            found.append(path)
            return
        for index, value in enumerate(desired):
            _compare(value, live[index], f"{path}[{index}]", found)
        return
    by_key = {item.get(key): item for item in live if isinstance(item, Mapping)}
    for item in desired:
        _compare(item, by_key.get(item[key]), f"{path}[{key}={item[key]}]", found)


def _merge_key(items: list[Any]) -> str | None:
    """The field by which Kubernetes tells the items apart, or None for a list that is compared by position."""
    if not items or not all(isinstance(item, Mapping) for item in items):
        return None
    for key in _MERGE_KEYS:
        values = [item.get(key) for item in items]
        if all(isinstance(value, str | int) for value in values) and len(set(values)) == len(values):
            return key
    return None


def _same_quantity(desired: Any, live: Any) -> bool:
    """ "0.5" is stored as "500m", and 1 as "1"."""
    try:
        return quantity.parse(str(desired)) == quantity.parse(str(live))
    except ValueError:
        return False

"""Kubernetes quantities ("500m", "24Gi") as exact numbers.

The grammar is that of k8s.io/apimachinery resource.Quantity, less its signs: nothing here may be negative.
Pure: no Django, no I/O.
"""

from __future__ import annotations

import re
from decimal import Decimal

_BINARY: dict[str, int] = {
    unit: 1024**power for power, unit in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), start=1)
}
_DECIMAL = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    "k": Decimal(10) ** 3,
    "M": Decimal(10) ** 6,
    "G": Decimal(10) ** 9,
    "T": Decimal(10) ** 12,
    "P": Decimal(10) ** 15,
    "E": Decimal(10) ** 18,
}
_QUANTITY = re.compile(
    r"(\d{1,18}(?:\.\d{0,9})?|\.\d{1,9})(?:([KMGTPE]i)|([numkMGTPE]?)|[eE]([+-]?\d{1,2}))", re.ASCII
)

KIBI, MEBI, GIBI, TEBI = _BINARY["Ki"], _BINARY["Mi"], _BINARY["Gi"], _BINARY["Ti"]


def parse(text: str) -> Decimal:
    """The exact value of a quantity: cores for CPU, bytes for memory and storage.

    Raises ValueError for anything the Kubernetes API would refuse, and for negative values.
    """
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:40]!r} is not a Kubernetes quantity")
    number, binary, decimal, exponent = match.groups()
    if binary:
        return Decimal(number) * _BINARY[binary]
    if exponent:
        return Decimal(number).scaleb(int(exponent))
    return Decimal(number) * _DECIMAL[decimal or ""]


def to_bytes(text: str) -> int:
    """A memory or storage quantity in whole bytes, rounded up as Kubernetes does."""
    return int(parse(text).to_integral_value(rounding="ROUND_CEILING"))


def to_millicores(text: str) -> int:
    """A CPU quantity in thousandths of a core, rounded up as Kubernetes does."""
    return int((parse(text) * 1000).to_integral_value(rounding="ROUND_CEILING"))


def show_bytes(size: int) -> str:
    """Bytes for people, in binary units with at most one decimal: "30.5 GiB"."""
    for unit, factor in reversed(_BINARY.items()):
        if size >= factor:
            return f"{(Decimal(size) / factor).quantize(Decimal('0.1')).normalize():f} {unit}B"
    return f"{size} bytes"


def from_bytes(size: int) -> str:
    """Bytes as a quantity in the largest binary unit that expresses them exactly: "24Gi"."""
    for unit, factor in reversed(_BINARY.items()):
        if size and size % factor == 0:
            return f"{size // factor}{unit}"
    return str(size)

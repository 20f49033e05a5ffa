"""Numbers, money, sizes and shares as text, in the one notation of the whole console.

Units follow a space, thousands have commas, nothing here is ever a float, and what is missing is an en dash.
"""

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal

MISSING = "–"
CURRENCY_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}
BINARY_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
DECIMAL_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def grouped(value: int | Decimal | None, places: int | None = None) -> str:
    """Return 6788 as "6,788"; with *places* the fraction has exactly that many digits."""
    if value is None:
        return MISSING
    if places is None:
        return f"{value:,}"
    return f"{_rounded(Decimal(value), places):,}"


def compact(value: int | Decimal | None) -> str:
    """Return counts from a million up in tight form: "61.7 M", "2.41 B"; smaller ones as `grouped` does."""
    if value is None:
        return MISSING
    number = Decimal(value)
    # The thresholds are those of the rounded result, so that no number reads "1,000.0 M".
    if abs(number) >= Decimal("999950000"):
        return f"{_rounded(number / 10**9, 2):,} B"
    if abs(number) >= 10**6:
        return f"{_rounded(number / 10**6, 1):,} M"
    return grouped(_rounded(number, 0))


def money(amount: Decimal | int | None, currency: str = "USD") -> str:
    """Return "$7.20": two digits after the point at least, every further digit that the amount really has."""
    if amount is None:
        return MISSING
    number = Decimal(amount)
    sign = "-" if number < 0 else ""
    digits = _without_trailing_zeros(abs(number), at_least=0 if currency == "JPY" else 2)
    mark = CURRENCY_SIGNS.get(currency)
    return f"{sign}{mark}{digits}" if mark else f"{sign}{currency} {digits}"


def size(count: int | None, *, binary: bool = True) -> str:
    """Return a number of bytes in the largest unit that keeps it at 1 or more: "30.5 GiB", or "14.2 GB"."""
    if count is None:
        return MISSING
    base = 1024 if binary else 1000
    units = BINARY_UNITS if binary else DECIMAL_UNITS
    number, step = Decimal(count), 0
    while abs(number) >= base and step < len(units) - 1:
        number /= base
        step += 1
    if step == 0 or number == number.to_integral_value():
        return f"{int(number):,} {units[step]}"
    return f"{_rounded(number, 1):,} {units[step]}"


def share(part: int | Decimal | None, whole: int | Decimal | None, *, ceiling: int = 100) -> Decimal:
    """Return *part* of *whole* in percent with one digit, from 0 to *ceiling*; 0 where there is no whole."""
    if not part or not whole or whole < 0 or part < 0:
        return Decimal(0)
    return min(_rounded(Decimal(part) * 100 / Decimal(whole), 1), Decimal(ceiling))


def initials(name: str) -> str:
    """Return the one or two capital letters for an avatar: "Alice Berg" is AB, "bob@acme.example" is B."""
    words: Iterable[str] = (
        word for word in name.split("@")[0].replace(".", " ").split() if word[0].isalnum()
    )
    letters = [word[0].upper() for word in words]
    return "".join(letters[:1] + letters[1:][-1:])


def _rounded(number: Decimal, places: int) -> Decimal:
    return number.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)


def _without_trailing_zeros(number: Decimal, *, at_least: int) -> str:
    whole, _, fraction = f"{number:,f}".partition(".")
    fraction = fraction.rstrip("0").ljust(at_least, "0")
    return f"{whole}.{fraction}" if fraction else whole

"""What a single value may be: each rule takes whatever came in and returns the typed value, or says why not.

Refusals are sentences for people: the value, the rule, the fix. Pure: no Django, no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from deployments import quantity
from deployments.quantity import GIBI, MEBI, TEBI
from deployments.vocabulary import Word

#: Larger whole numbers are not written out: a text of them would be long, and Python has a limit of its own.
LONGEST_NUMBER = 10**40


class Refused(ValueError):
    """A value that cannot be used; the message is shown to a person."""


def shown(raw: object, most: int) -> str:
    """Any value as it may stand in a sentence: short, printable, and in characters that can be sent."""
    if isinstance(raw, dict | list) or (isinstance(raw, int) and abs(raw) > LONGEST_NUMBER):
        return "…"
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in str(raw)[:most]
    )


def text(raw: object, most: int, *, strip: bool = True) -> str:
    """Printable text of at most `most` characters; numbers are taken as they were written."""
    if isinstance(raw, bool) or not isinstance(raw, str | int | float | Decimal):
        raise Refused("This must be text.")
    if isinstance(raw, int) and abs(raw) > LONGEST_NUMBER:
        raise Refused("This number is too long.")
    value = str(raw).strip() if strip else str(raw)
    if len(value) > most:
        raise Refused(f"{len(value)} characters are too long. Use at most {most}.")
    if any(_is_control(character) for character in value):
        raise Refused("Control characters are not allowed here.")
    if any(0xD800 <= ord(character) <= 0xDFFF for character in value):
        raise Refused("This text is not valid Unicode.")
    return value


def _is_control(character: str) -> bool:
    """Controls of ASCII and Latin 1, and the line ends of Unicode, which YAML folds into spaces."""
    code = ord(character)
    return (code < 32 and character not in "\n\t\r") or 0x7F <= code <= 0x9F or code in (0x2028, 0x2029)


def line(raw: object, most: int) -> str:
    """Text without line breaks."""
    value = text(raw, most)
    if "\n" in value or "\r" in value:
        raise Refused("Write this in one line.")
    return value


def deployment_name(raw: object) -> str:
    """A DNS label of 1 to 48 characters, so that it fits names of Kubernetes objects and host names."""
    value = line(raw, 200)
    if len(value) > 48:
        raise Refused(f"{len(value)} characters are too long. Use at most 48.")
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", value):
        raise Refused(
            f"“{value}” is not a DNS label. Use lower-case letters, digits and hyphens inside, such as llama-8b-chat."
        )
    return value


def slug(raw: object) -> str:
    """The short name of a model, endpoint, cluster or organisation; a Hugging Face style path is allowed for models."""
    value = line(raw, 200)
    if not re.fullmatch(r"[A-Za-z0-9][-A-Za-z0-9._/]{0,199}", value):
        raise Refused(f"“{value[:60]}” is not a name. Use letters, digits, hyphens and dots.")
    return value


def description(raw: object) -> str:
    return text(raw, 500)


def image(raw: object) -> str:
    """An image without its tag: registry, path."""
    value = line(raw, 255)
    if re.search(r":[^/]*$", value) or "@" in value:
        raise Refused(f"“{value}” has a tag or digest. Write the image alone and the tag in its own field.")
    component = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
    # As container runtimes have it, what stands before the first slash is a host only with a dot or a port.
    host = r"(?=[^/]*[.:]|localhost/)[A-Za-z0-9.-]+(?::\d{1,5})?"
    if not re.fullmatch(rf"(?:{host}/)?{component}(?:/{component})*", value):
        raise Refused(
            f"“{value}” is not an image name. Write it like vllm/vllm-openai or registry.example.com/team/vllm-openai."
        )
    return value


def tag(raw: object) -> str:
    """A tag, or a digest "sha256:…"."""
    value = line(raw, 200)
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}|sha256:[0-9a-f]{64}", value):
        raise Refused(f"“{value[:60]}” is not an image tag. Write it like v0.33.0.")
    return value


def nim_profile(raw: object) -> str:
    """A NIM profile: its id of 64 hexadecimal digits, or its name."""
    value = line(raw, 128)
    if not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9._:/-]*[A-Za-z0-9])?", value):
        raise Refused(f"“{value[:60]}” is not a NIM profile. Write its id of 64 digits, or its name.")
    return value


def whole(low: int, high: int, unit: str) -> Callable[[Any], int]:
    """A rule for whole numbers from `low` to `high`."""

    def rule(raw: object) -> int:
        if (
            isinstance(raw, bool)
            or not isinstance(raw, int | str)
            or (isinstance(raw, int) and abs(raw) > LONGEST_NUMBER)
            or not re.fullmatch(r"-?\d{1,20}", str(raw).strip(), re.ASCII)
        ):
            raise Refused(f"“{shown(raw, 40)}” is not a whole number of {unit}.")
        value = int(raw)
        if not low <= value <= high:
            raise Refused(f"{value:,} is out of range. Enter {low:,} to {high:,} {unit}.")
        return value

    return rule


def flag(raw: object) -> bool:
    if isinstance(raw, bool):
        return raw
    raise Refused("Write true or false.")


def choice(words: type[Word]) -> Callable[[Any], Any]:
    """A rule for one of a closed list."""

    def rule(raw: object) -> Word:
        if isinstance(raw, str) and raw in list(words):
            return words(raw)
        raise Refused(f"“{shown(raw, 40)}” is not known. Choose one of: {', '.join(words)}.")

    return rule


def optional(rule: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The rule, or None for nothing."""
    return lambda raw: None if raw in (None, "") else rule(raw)


def cpu(raw: object) -> str:
    """Cores: from one thousandth to 1,024, no finer than a thousandth."""
    return _quantity(
        raw, Decimal("0.001"), Decimal(1024), "0.001 to 1024 cores, such as 4 or 500m", Decimal("0.001")
    )


def memory(raw: object) -> str:
    return _quantity(raw, Decimal(16 * MEBI), Decimal(64 * TEBI), "16Mi to 64Ti, such as 24Gi", Decimal(1))


def storage(raw: object) -> str:
    return _quantity(raw, Decimal(GIBI), Decimal(1024 * TEBI), "1Gi to 1Pi, such as 100Gi", Decimal(1))


def _quantity(raw: object, low: Decimal, high: Decimal, examples: str, step: Decimal) -> str:
    value = line(raw, 40)
    try:
        amount = quantity.parse(value)
    except ValueError:
        raise Refused(f"“{value}” is not a quantity. Enter {examples}.") from None
    if not low <= amount <= high:
        raise Refused(f"{value} is out of range. Enter {examples}.")
    if amount % step:
        raise Refused(f"{value} is too fine. Enter {examples}.")
    return value


def limit_covers(request: str, limit: str | None) -> None:
    """A limit may not be below its request. Raises Refused."""
    if limit is not None and quantity.parse(limit) < quantity.parse(request):
        raise Refused(f"{limit} is below the request of {request}. Enter {request} or more.")


def gpu_resource(raw: object) -> str:
    """An extended resource name, such as nvidia.com/gpu or nvidia.com/mig-4g.71gb."""
    value = line(raw, 120)
    if not re.fullmatch(
        r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[A-Za-z0-9]([-A-Za-z0-9._]{0,61}[A-Za-z0-9])?", value
    ):
        raise Refused(f"“{value}” is not a resource name. Write it like nvidia.com/gpu.")
    return value


def label_value(raw: object) -> str:
    value = line(raw, 63)
    if not re.fullmatch(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", value):
        raise Refused(f"“{value}” is not a label value. Write it like NVIDIA-H100-80GB-HBM3.")
    return value


def argument(raw: object) -> str:
    """One engine argument, as the program gets it: not a shell line."""
    value = line(raw, 4096)
    if not value:
        raise Refused("This argument is empty. Remove it.")
    return value


def variable_name(raw: object) -> str:
    value = line(raw, 200)
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,127}", value):
        raise Refused(
            f"“{value[:60]}” is not a variable name. Use letters, digits and underscores, not starting with a digit."
        )
    return value


def variable_value(raw: object) -> str:
    if isinstance(raw, bool):
        raise Refused("Put the value in quotes: environment variables are text.")
    # A program may mean the spaces at the ends.
    return text(raw, 32_768, strip=False)


def currency(raw: object) -> str:
    value = line(raw, 10).upper()
    if value not in CURRENCIES:
        raise Refused(f"“{value}” is not offered. Choose one of: {', '.join(CURRENCIES)}.")
    return value


def price(raw: object) -> Decimal:
    """A price per one million tokens: 0 or more, at most 12 decimals, exact."""
    if isinstance(raw, bool) or not isinstance(raw, str | int | Decimal):
        raise Refused('Write the price in quotes, such as "0.15", so that it stays exact.')
    value = text(raw, 200)
    if not re.fullmatch(r"-?\d{1,30}(\.\d{1,40})?", value, re.ASCII):
        raise Refused(f"“{value[:40]}” is not a price. Enter a number such as 0.15.")
    amount = Decimal(value)
    if amount < 0:
        raise Refused(f"{value} is negative. Enter 0 or more.")
    if amount > MOST_EXPENSIVE:
        raise Refused(f"{value} is too high. Enter at most {MOST_EXPENSIVE:,}.")
    if len(value.partition(".")[2]) > 12:
        raise Refused(f"{value[:40]} has more than 12 decimals. Round it to 12.")
    return abs(amount)  # no minus zero


MOST_EXPENSIVE = Decimal(1_000_000)
#: ISO 4217 codes that can be priced in; all have a minor unit of 0 or 2 digits.
CURRENCIES = ("USD", "EUR", "GBP", "CHF", "SEK", "NOK", "DKK", "JPY", "CAD", "AUD", "SGD", "INR")

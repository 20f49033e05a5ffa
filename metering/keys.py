"""The text of an API key: made, checked, and turned into what is kept of it. Pure.

    slipway_ 8 characters that name it, 34 that are its secret, 6 that check the others

Letters and digits only, so that a double click takes all of it; the word in front lets scanners of code find keys
that were published by mistake. The checksum tells a mistyped or cut key from an unknown one without asking anybody.
34 characters of 62 are 202 random bits, so a plain SHA-256 keeps the key: there is nothing to guess, and nothing to
slow down for.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import zlib

WORD = "slipway_"
_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_NAME, _SECRET, _CHECK = 8, 34, 6
LENGTH = len(WORD) + _NAME + _SECRET + _CHECK
_REST = re.compile(rf"[0-9A-Za-z]{{{_NAME + _SECRET + _CHECK}}}")


def mint(word: str = WORD) -> str:
    """A new key. `word`: what other kinds of keys begin with, made in the same way."""
    text = word + "".join(secrets.choice(_ALPHABET) for _ in range(_NAME + _SECRET))
    return text + _checksum(text)


def prefix_of(key: str, word: str = WORD) -> str:
    """What may be shown of a key for ever, so that people recognise it."""
    return key[: len(word) + _NAME]


def is_whole(key: str, word: str = WORD) -> bool:
    """Whether it can be a key of ours at all: complete, and without a slip."""
    rest = key.removeprefix(word)
    is_formed = key.startswith(word) and _REST.fullmatch(rest) is not None
    return is_formed and _checksum(key[:-_CHECK]) == key[-_CHECK:]


def digest(key: str) -> str:
    """What is kept of a key: SHA-256, in hexadecimal."""
    return hashlib.sha256(key.encode()).hexdigest()


def _checksum(text: str) -> str:
    number = zlib.crc32(text.encode())
    found = ""
    for _ in range(_CHECK):
        number, digit = divmod(number, len(_ALPHABET))
        found = _ALPHABET[digit] + found
    return found

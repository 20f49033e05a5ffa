"""Reads a `vllm serve` command line: the options that the sandbox acts on, and the refusals that vLLM's parser
makes.

An option that this version of vLLM does not know ends the real server at once, and so it does here; known options
whose value changes nothing in a simulation are accepted and kept as text.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, field

from deployments.sandbox.engines.engine_options import JSON, MANY, SHORT, SWITCHES, TEXT, WHOLE

_LONGEST_NUMBER = 18
_SUFFIXES = {"k": 1_000, "m": 10**6, "g": 10**9, "K": 1_024, "M": 1_024**2, "G": 1_024**3}


class UsageError(Exception):
    """A command line that the parser refuses, in argparse's words."""


@dataclass(frozen=True, slots=True)
class ServeCommand:
    """What was asked for: the model and the options (names without dashes in front; values as text)."""

    model: str
    options: dict[str, str] = field(default_factory=dict)
    names: tuple[str, ...] = ()

    def number(self, option: str, default: int) -> int:
        """A whole-number option, or the default."""
        return int(self.options.get(option, default))

    def switched(self, option: str) -> bool:
        """Whether a switch was given."""
        return self.options.get(option) == "true"

    @property
    def max_model_len(self) -> int | None:
        """Tokens of context that were asked for (`8192`, `32k`, `1K`); None for the model's own."""
        text = self.options.get("max-model-len", "")
        if text in ("", "auto", "-1"):
            return None
        if text[-1] in _SUFFIXES:
            return int(float(text[:-1]) * _SUFFIXES[text[-1]])
        return int(text)


def split_shell(argv: list[str]) -> list[str]:
    """The command behind `sh -c "exec vllm serve …"`; other command lines as they are."""
    if len(argv) == 3 and argv[0].rsplit("/", 1)[-1] in ("sh", "bash") and argv[1] in ("-c", "-lc", "-ec"):
        try:
            inner = shlex.split(argv[2])
        except ValueError:
            return argv
        return inner[1:] if inner[:1] == ["exec"] else inner
    return argv


def parse_serve(arguments: list[str]) -> ServeCommand:
    """Read everything after `vllm serve`. Raises UsageError as vLLM's parser would."""
    model = ""
    options: dict[str, str] = {}
    names: list[str] = []
    unknown: list[str] = []
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if not word.startswith("-") or word == "-":
            if not model and not unknown:
                model = word
            else:
                unknown.append(word)
            continue
        name, joined, value = word.lstrip("-").partition("=")
        name = SHORT.get(name, name.replace("_", "-").split(".", 1)[0])
        if name in SWITCHES or (name.startswith("no-") and name[3:] in SWITCHES):
            options[name.removeprefix("no-")] = "false" if name.startswith("no-") else "true"
        elif name in WHOLE or name in TEXT:
            values = [value] if joined else _take(rest, many=name in MANY)
            if not values:
                raise UsageError(f"argument --{name}: expected one argument")
            # `--some-config.field value` sets one field of the document; its value is not a document.
            if "." not in word.partition("=")[0]:
                _check(name, values[0])
            options[name] = values[0]
            if name == "served-model-name":
                names = values
        else:
            unknown.append(word)
            # argparse reports the values of an option that it does not know as unknown too.
            while rest and not rest[0].startswith("-"):
                unknown.append(rest.pop(0))
    if unknown:
        raise UsageError(f"unrecognized arguments: {' '.join(unknown)}")
    model = model or options.get("model", "Qwen/Qwen3-0.6B")
    return ServeCommand(model, options, tuple(names))


def _take(rest: list[str], *, many: bool) -> list[str]:
    taken: list[str] = []
    while rest and (many or not taken):
        negative_number = rest[0].startswith("-") and rest[0][1:].isdecimal()
        if rest[0].startswith("-") and not negative_number:
            break
        taken.append(rest.pop(0))
    return taken


def _check(name: str, value: str) -> None:
    if len(value) > _LONGEST_NUMBER and name not in JSON and name not in TEXT:
        raise UsageError(f"argument --{name}: invalid int value: '{value[:_LONGEST_NUMBER]}…'")
    if name in WHOLE:
        if not value.removeprefix("-").isdecimal():
            raise UsageError(f"argument --{name}: invalid int value: '{value}'")
    elif name == "max-model-len":
        number, suffixed = (value[:-1], True) if value[-1:] in _SUFFIXES else (value, False)
        plain = number.replace(".", "", 1) if suffixed else number
        wrong = len(value) > _LONGEST_NUMBER or not plain.isdecimal() or float(number) <= 0
        if wrong and value not in ("auto", "-1"):
            raise UsageError(f"argument --{name}: invalid human_readable_int_or_auto value: '{value}'")
    elif name == "gpu-memory-utilization":
        if not value.replace(".", "", 1).isdecimal() or not 0 < float(value) <= 1:
            raise UsageError(f"argument --{name}: invalid float value: '{value}'")
    elif name in JSON:
        try:
            json.loads(value)
        except ValueError:
            raise UsageError(f"argument --{name}: Value {value} cannot be converted") from None

"""Which engine arguments may be given, and why not: flags that Slipway sets itself, and GPU arithmetic.

Read the way vLLM's parser reads them: `--flag value` and `--flag=value` mean the same, underscores count as
hyphens, and an unambiguous beginning of a flag counts as the flag. Escaping for Kubernetes is the
manifests' job. Pure: no Django, no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

MOST_ARGUMENTS: Final = 200
LONGEST_ARGUMENT: Final = 8192

_CATALOGUE = "The model comes from the catalogue entry."
_ADDRESS = "Probes, services and routes expect the engine on port 8000."
_METERING = "Metering depends on it: Slipway always switches it on."
_ONE_POD = "A replica is one pod; engines over several pods are not offered."

REFUSED: Final[dict[str, str]] = {
    "--model": _CATALOGUE,
    "--revision": "The revision is pinned in the catalogue entry.",
    "--host": _ADDRESS,
    "--port": _ADDRESS,
    "--uds": _ADDRESS,
    "--root-path": _ADDRESS,
    "--ssl-keyfile": "Probes speak plain HTTP to the engine; TLS ends at the endpoint.",
    "--ssl-certfile": "Probes speak plain HTTP to the engine; TLS ends at the endpoint.",
    "--served-model-name": "Clients name the deployment as the model; metering depends on it.",
    "--api-key": "Arguments can be read by everyone who may see the pod. "
    "Add VLLM_API_KEY as a secret environment variable instead.",
    "--shutdown-timeout": "It has to match the pod's grace period, so Slipway sets both.",
    "--enable-force-include-usage": _METERING,
    "--no-enable-force-include-usage": _METERING,
    "--enable-prompt-tokens-details": _METERING,
    "--no-enable-prompt-tokens-details": _METERING,
    "--config": "A file inside the image could set what is refused here. Give each argument by itself.",
    "--headless": _ONE_POD,
    "--nnodes": _ONE_POD,
    "--node-rank": _ONE_POD,
    "--master-addr": _ONE_POD,
    "--data-parallel-address": _ONE_POD,
    "--data-parallel-size-local": _ONE_POD,
}
"""Flags that are never accepted, with the reason."""

RISKY: Final[dict[str, str]] = {
    "--trust-remote-code": "Runs code from the model's repository inside the pod.",
    "--enable-log-requests": "Writes users' prompts to the log.",
    "--enable-log-outputs": "Writes the model's answers to the log.",
    "--middleware": "Loads code into the server.",
    "--allowed-local-media-path": "Lets requests read files of the pod.",
    "--enable-sleep-mode": "Sleeping needs the development endpoints, which Slipway leaves closed.",
}
"""Flags that are accepted with a warning, with the reason."""

TENSOR: Final = "--tensor-parallel-size"
PIPELINE: Final = "--pipeline-parallel-size"
DATA: Final = "--data-parallel-size"
_SHORT = {"-tp": TENSOR, "-pp": PIPELINE, "-dp": DATA, "-q": "--quantization"}

_SEVERAL_VALUES = frozenset(
    {
        "--lora-modules",
        "--middleware",
        "--cudagraph-capture-sizes",
        "--collect-detailed-traces",
        "--logits-processors",
    }
)
_WITHOUT_VALUE = re.compile(
    r"--(?:enable|disable|no|use|skip)-.+|--(?:trust-remote-code|enforce-eager|async-scheduling|return-tokens-as-token-ids)"
)
_WITH_VALUE = frozenset({"--disable-access-log-for-endpoints"})
_TOKENS = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)([kKmMgG]?)", re.ASCII)
_FACTOR = {"": 1, "k": 1000, "K": 1024, "m": 1000**2, "M": 1024**2, "g": 1000**3, "G": 1024**3}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong with one argument."""

    index: int
    """Position in the list of arguments, from 0; the length of the list when something is missing."""
    refused: bool
    """False: accepted, with a warning."""
    why: str


@dataclass(frozen=True, slots=True)
class _Flag:
    index: int
    name: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Parallelism:
    """How many GPUs one replica splits the model over."""

    tensor: int
    pipeline: int = 1
    data: int = 1

    @property
    def gpus(self) -> int:
        return self.tensor * self.pipeline * self.data


def judge(arguments: Sequence[str], gpus: int, attention_heads: int | None = None) -> list[Verdict]:
    """Every objection to these arguments for a replica with that many GPUs, in the order of the arguments.

    An empty list means that nothing is wrong. `attention_heads` is the model's, where known.
    """
    shape = list(_judge_shape(arguments))
    if shape:
        return shape
    whole = (*REFUSED, TENSOR, PIPELINE, DATA)
    verdicts = [*_judge_bare_words(arguments), *_judge_flags(arguments, REFUSED, RISKY, whole)]
    verdicts += _judge_parallelism(arguments, gpus, attention_heads)
    return sorted(verdicts, key=lambda verdict: verdict.index)


def judge_reserved(
    arguments: Sequence[str], refused: Mapping[str, str], risky: Mapping[str, str]
) -> list[Verdict]:
    """Objections to arguments of another parser than vLLM's: their shape, and flags that are reserved or risky."""
    shape = list(_judge_shape(arguments))
    if shape:
        return shape
    verdicts = [*_judge_first_word(arguments), *_judge_flags(arguments, refused, risky, tuple(refused))]
    return sorted(verdicts, key=lambda verdict: verdict.index)


def value_of(arguments: Sequence[str], flag: str) -> str | None:
    """The value that counts for a flag (the last one), "" for a flag without a value, None if absent."""
    found = None
    for given in _flags(arguments):
        if given.name == flag:
            found = given.values[0] if given.values else ""
    return found


def flags_of(arguments: Sequence[str]) -> list[str]:
    """The flags by their full names, each once, in the order given."""
    return list(dict.fromkeys(flag.name for flag in _flags(arguments)))


def parallelism(arguments: Sequence[str], gpus: int) -> Parallelism:
    """The parallel sizes that the arguments ask for; a missing tensor size takes what the GPU count leaves.

    Sizes that are not whole numbers count as 1: judge() is who refuses them.
    """
    pipeline, data = _size(arguments, PIPELINE) or 1, _size(arguments, DATA) or 1
    tensor = _size(arguments, TENSOR) or max(1, gpus // (pipeline * data))
    return Parallelism(tensor, pipeline, data)


def token_count(text: str) -> int | None:
    """A number of tokens as vLLM reads it: "8192", "8k" (8000), "8K" (8192). None for "auto"."""
    match = _TOKENS.fullmatch(text)
    return int(Decimal(match[1]) * _FACTOR[match[2]]) if match else None


def _judge_shape(arguments: Sequence[str]) -> Iterator[Verdict]:
    if len(arguments) > MOST_ARGUMENTS:
        yield Verdict(MOST_ARGUMENTS, True, f"At most {MOST_ARGUMENTS} arguments are accepted.")
        return
    for index, argument in enumerate(arguments):
        if len(argument) > LONGEST_ARGUMENT:
            yield Verdict(index, True, f"An argument has at most {LONGEST_ARGUMENT} characters.")
        elif any(character < " " or character == "\x7f" for character in argument):
            yield Verdict(index, True, "Line breaks and control characters are not accepted.")
        elif any("\ud800" <= character <= "\udfff" for character in argument):
            yield Verdict(index, True, "This is not valid text.")
        elif not argument.strip():
            yield Verdict(index, True, "An argument cannot be empty.")


def _judge_bare_words(arguments: Sequence[str]) -> Iterator[Verdict]:
    """Words that vLLM would take for the model because no flag in front of them takes a value."""
    flag: str | None = None
    taken = 0
    for index, argument in enumerate(arguments):
        if argument == "--":
            yield Verdict(index, True, "Everything after “--” would be read as the model.")
        if _is_flag(argument):
            name, joined, _ = argument.partition("=")
            flag, taken = _full_name(name), 1 if joined else 0
            continue
        takes_none = flag is None or (bool(_WITHOUT_VALUE.fullmatch(flag)) and flag not in _WITH_VALUE)
        if takes_none or (taken and flag not in _SEVERAL_VALUES):
            yield Verdict(
                index,
                True,
                f"“{argument[:60]}” belongs to no flag and would be read as the model. {_CATALOGUE}",
            )
        taken += 1


def _judge_first_word(arguments: Sequence[str]) -> Iterator[Verdict]:
    """A word before any flag, and what ends the flags."""
    for index, argument in enumerate(arguments):
        if argument == "--" or (index == 0 and not _is_flag(argument)):
            yield Verdict(index, True, f"“{argument[:60]}” belongs to no flag. Arguments begin with a flag.")


def _judge_flags(
    arguments: Sequence[str], refused: Mapping[str, str], risky: Mapping[str, str], whole: Sequence[str]
) -> Iterator[Verdict]:
    """`whole`: flags that may not be shortened either."""
    for flag in _flags(arguments):
        if any(character.isspace() for character in flag.name):
            yield Verdict(flag.index, True, "A flag and its value are two arguments, or one joined by “=”.")
        elif flag.name in refused:
            yield Verdict(flag.index, True, f"{flag.name} cannot be set here. {refused[flag.name]}")
        elif (meant := _abbreviation(flag.name, whole)) is not None:
            yield Verdict(flag.index, True, f"{flag.name} would be read as {meant}. Write flags out in full.")
        elif flag.name in risky:
            yield Verdict(flag.index, False, f"{flag.name}: {risky[flag.name]}")


def _judge_parallelism(arguments: Sequence[str], gpus: int, attention_heads: int | None) -> Iterator[Verdict]:
    sizes = [flag for flag in _flags(arguments) if flag.name in (TENSOR, PIPELINE, DATA)]
    unreadable = [flag for flag in sizes if _whole(flag.values[0] if flag.values else "") is None]
    for flag in unreadable:
        yield Verdict(flag.index, True, f"{flag.name} needs a whole number from 1 to 1024.")
    if unreadable:
        return
    asked = parallelism(arguments, gpus)
    where = sizes[-1].index if sizes else len(arguments)
    if sizes and asked.gpus != max(gpus, 1):
        product = f"{asked.tensor} × {asked.pipeline} × {asked.data} = {asked.gpus}"
        yield Verdict(
            where,
            True,
            f"Tensor × pipeline × data parallel size is {product}, but a replica has {gpus} "
            f"GPU{'' if gpus == 1 else 's'}. The two have to be equal.",
        )
    elif attention_heads and attention_heads % asked.tensor:
        yield Verdict(
            where,
            True,
            f"The model's {attention_heads} attention heads cannot be split evenly over a tensor "
            f"parallel size of {asked.tensor}.",
        )


def _flags(arguments: Sequence[str]) -> Iterator[_Flag]:
    """Flags with the words that follow them."""
    index = 0
    while index < len(arguments):
        start = index
        index += 1
        if not _is_flag(arguments[start]):
            continue
        name, joined, value = arguments[start].partition("=")
        values = [value] if joined else []
        while index < len(arguments) and not _is_flag(arguments[index]):
            values.append(arguments[index])
            index += 1
        yield _Flag(start, _full_name(name), tuple(values))


def _is_flag(argument: str) -> bool:
    return len(argument) > 1 and argument.startswith("-") and not re.match(r"-[\d.]", argument)


def _full_name(name: str) -> str:
    name = name.partition(".")[0]
    if name.startswith("--"):
        return "--" + name[2:].replace("_", "-")
    return _SHORT.get(name, name)


def _abbreviation(name: str, whole: Sequence[str]) -> str | None:
    """The reserved or sizing flag that this beginning of a flag would be taken for."""
    if not name.startswith("--") or name == "--" or name in whole:
        return None
    return next((flag for flag in whole if flag.startswith(name)), None)


def _size(arguments: Sequence[str], flag: str) -> int | None:
    text = value_of(arguments, flag)
    return None if text is None else _whole(text)


def _whole(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[1-9]\d{0,3}", text, re.ASCII) and int(text) <= 1024 else None

"""One finding of the preflight, in the words in which it is shown. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from deployments.vocabulary import Tone


class Level(StrEnum):
    """How much a finding weighs, with its tone."""

    tone: Tone

    BLOCKER = "blocker", Tone.BAD
    WARNING = "warning", Tone.WARN
    PASSED = "passed", Tone.GOOD

    def __new__(cls, value: str, tone: Tone) -> Level:
        level = str.__new__(cls, value)
        level._value_ = value
        level.tone = tone
        return level


class Step(StrEnum):
    """The page of the wizard where a finding can be mended; NOWHERE when it is not in the wizard."""

    GENERAL = "general"
    ENGINE = "engine"
    RESOURCES = "resources"
    AUTOSCALING = "autoscaling"
    ENVIRONMENT = "environment"
    PRICING = "pricing"
    NOWHERE = ""


@dataclass(frozen=True, slots=True)
class Item:
    level: Level
    title: str
    """What is so, in a few words."""
    detail: str
    """Why it matters and what to do, in one or two sentences; may be empty."""
    step: Step


def blocker(title: str, detail: str, step: Step) -> Item:
    return Item(Level.BLOCKER, title, detail, step)


def warning(title: str, detail: str, step: Step) -> Item:
    return Item(Level.WARNING, title, detail, step)


def passed(title: str, step: Step, detail: str = "") -> Item:
    return Item(Level.PASSED, title, detail, step)

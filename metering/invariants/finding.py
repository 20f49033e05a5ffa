"""What a check finds: one thing that must be true, and whether it is. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from deployments.vocabulary import Tone


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that must be true: in a sentence with numbers, and what to do where it is not."""

    title: str
    tone: Tone
    sentence: str
    remedy: str = ""
    facts: tuple[tuple[str, str], ...] = ()

    @property
    def is_broken(self) -> bool:
        return self.tone is Tone.BAD


def holds(title: str, sentence: str, *facts: tuple[str, str]) -> Finding:
    return Finding(title, Tone.GOOD, sentence, facts=facts)


def look(title: str, sentence: str, remedy: str, *facts: tuple[str, str]) -> Finding:
    """Nothing is wrong with the books, but somebody should look."""
    return Finding(title, Tone.WARN, sentence, remedy, facts)


def broken(title: str, sentence: str, remedy: str, *facts: tuple[str, str]) -> Finding:
    return Finding(title, Tone.BAD, sentence, remedy, facts)

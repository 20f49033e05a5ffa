"""What the forms of all engines share: the choice of the engine, its image, storage and arguments.

A page shows the fields of one engine. `shown` says which, so that a person who picks another one and sends the page
gets that engine's fields, and what was typed for the first is kept aside (drafts.py).
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any, ClassVar

from django import forms
from django.urls import reverse

from console.presentation.widgets import ChoiceCards
from deployments.document import Problem
from deployments.preflight import INSTALL_DYNAMO
from deployments.vocabulary import Engine
from deployments.wizard import steps, words
from deployments.wizard.forms.base import SectionForm, Typed, text_input
from deployments.wizard.text import fit
from deployments.wizard.work import Work

#: The button, and the request of a changed choice, that only asks for other fields.
SHOW_FIELDS = "fields"

_CARDS = {
    Engine.VLLM: ["Open-source server with an OpenAI-compatible API.", "Serves most Hugging Face models."],
    Engine.NIM: [
        "NVIDIA's container with the model inside, or for models of Hugging Face.",
        "Needs an NVIDIA AI Enterprise licence and, for most images, an NGC key.",
    ],
    Engine.DYNAMO: [
        "Workers behind a frontend that knows what each has cached.",
        "May split reading prompts from writing answers.",
    ],
}


def live(url: str) -> dict[str, str]:
    """Attributes of a control whose change asks for other fields, with what was typed."""
    return {
        "hx-post": url,
        "hx-trigger": "change",
        "hx-vals": '{"action": "fields"}',
        "hx-target": "#engine-fields",
        "hx-select": "#engine-fields",
        "hx-select-oob": "#step-problems,#advice",
        "hx-swap": "outerHTML",
        "hx-sync": "closest form:replace",
    }


class EngineFields(SectionForm):
    """One engine's part of a draft."""

    step = steps.ENGINE
    engine: ClassVar[Engine]
    template: ClassVar[str]
    """Shows the fields."""
    common: ClassVar[dict[str, str]] = {
        "image": "image",
        "tag": "tag",
        "replicas": "replicas",
        "volume": "volume",
        "arguments": "arguments",
    }

    kind = Typed(label="Engine", widget=ChoiceCards)
    shown = Typed(required=False, widget=forms.HiddenInput)
    image = Typed(
        label="Image",
        help_text="10 to 25 GB: mirror it to a registry near the cluster, or the first start on each node is slow.",
        widget=text_input(),
    )
    tag = Typed(label="Tag", widget=text_input())
    replicas = Typed(
        label="Replicas",
        help_text="Copies that share the load.",
        widget=text_input(inputmode="numeric"),
    )
    volume = Typed(
        label="Volume per replica",
        help_text="Holds weights and compile cache, so that a restart is quick. Such as 100Gi.",
        widget=text_input(),
    )
    arguments = Typed(
        label="Arguments",
        required=False,
        widget=forms.Textarea(attrs={"rows": 4, "class": "mono", "spellcheck": "false"}),
    )

    def prepare(self) -> None:
        cards = ChoiceCards(
            choices=Engine.choices(),
            facts={kind.value: [*facts, *self._here(kind)] for kind, facts in _CARDS.items()},
        )
        if self.work.is_saved:
            cards.attrs |= self.live()
        self.fields["kind"].widget = cards

    def live(self) -> dict[str, str]:
        return live(reverse("draft_step", args=[self.work.draft.pk, self.step.slug]))

    @property
    def turns_to(self) -> Engine | None:
        """The engine that was picked while the fields of another were shown; None when they are of one."""
        picked = self.data.get("kind")
        if not self.data.get("shown") or picked == self.engine or picked not in list(Engine):
            return None
        return Engine(picked)

    @property
    def only_shows(self) -> bool:
        """True when other fields were asked for, and nothing else."""
        return bool(self.data.get("action") == SHOW_FIELDS)

    def to_data(self, section: Any) -> dict[str, Any]:
        data = super().to_data(section)
        typed = (section or {}).get("arguments")
        data["arguments"] = words.join(typed) if isinstance(typed, list) else typed or ""
        return data | {"kind": (section or {}).get("kind") or self.engine.value, "shown": self.engine.value}

    def to_section(self) -> dict[str, Any]:
        """The part of the engine whose fields were shown, whatever was picked meanwhile."""
        section: dict[str, Any] = super().to_section()
        picked = self.cleaned_data.get("kind")
        section = {"kind": self.engine.value if self.turns_to or not picked else picked} | section
        self.lines: list[int] = []
        with suppress(words.Unsplittable):  # kept as it was typed; reading.py says which line
            section["arguments"], self.lines = words.split(section["arguments"])
        return section

    def field_of(self, path: str) -> str | None:
        return "kind" if path == "kind" else super().field_of(path)

    def note(self, problem: Problem) -> None:
        """A problem of one argument names its line."""
        place = re.search(r"arguments\[(\d+)\]$", problem.path)
        if place and int(place[1]) < len(self.lines):
            sentence = f"Line {self.lines[int(place[1])]}: {problem.message}"
            problem = Problem(problem.path, sentence)
        super().note(problem)

    @property
    def passed(self) -> list[str]:
        """The arguments as the engine gets them; empty when they cannot be split."""
        typed = (self.section or {}).get("arguments")
        return [fit(word) for word in typed] if isinstance(typed, list) else []

    def _here(self, kind: Engine) -> list[str]:
        """What the endpoint's cluster lacks for an engine. One may prepare a draft all the same."""
        return [lack] if (lack := lacks(self.work, kind)) else []


def lacks(work: Work, kind: Engine) -> str:
    """What has to be installed on the endpoint's cluster before this engine runs there; empty when nothing is known."""
    facts = work.facts
    if kind is not Engine.DYNAMO or facts is None or facts.addons.dynamo:
        return ""
    where = work.endpoint.cluster.name if work.endpoint else "the cluster"
    return f"{INSTALL_DYNAMO} It is not on {where}."

"""Engine: which program serves the model, how many of it, and with which arguments."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

from django import forms

from console.presentation.widgets import ChoiceCards
from deployments import document
from deployments.document import Problem
from deployments.vocabulary import Engine
from deployments.wizard import steps, words
from deployments.wizard.forms.base import SectionForm, Typed, text_input
from deployments.wizard.text import fit

FACTS = {
    Engine.VLLM.value: [
        "Open-source server with an OpenAI-compatible API.",
        "Serves most Hugging Face models.",
    ],
    Engine.NIM.value: ["NVIDIA's container with the model inside."],
    Engine.DYNAMO.value: ["Splits prompt processing and generation over workers."],
}
REFUSED = {
    Engine.NIM.value: "Needs an NVIDIA AI Enterprise licence and an NGC API key. This version deploys vLLM.",
    Engine.DYNAMO.value: "Needs the Dynamo platform operator on the cluster. This version deploys vLLM.",
}


class EngineForm(SectionForm):
    step = steps.ENGINE
    paths = {
        "kind": "kind",
        "image": "image",
        "tag": "tag",
        "replicas": "replicas",
        "volume": "volume",
        "arguments": "arguments",
    }

    kind = Typed(label="Engine", widget=ChoiceCards(choices=Engine.choices(), facts=FACTS, refused=REFUSED))
    image = Typed(
        label="Image",
        help_text="10 to 25 GB: mirror it to a registry near the cluster, or the first start on each node is slow.",
        widget=text_input(),
    )
    tag = Typed(
        label="Tag",
        help_text=f"A version such as {document.DEFAULT_VLLM_TAG}, or a digest sha256:…",
        widget=text_input(),
    )
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
        help_text=(
            "A flag with its value on each line. Put quotes around a value with spaces or around JSON. "
            "Model, port, served name and tensor parallel size are set by Slipway."
        ),
        widget=forms.Textarea(
            attrs={"rows": 4, "class": "mono", "spellcheck": "false", "placeholder": words.EXAMPLE}
        ),
    )

    def to_data(self, section: Any) -> dict[str, Any]:
        data = super().to_data(section)
        typed = (section or {}).get("arguments")
        data["arguments"] = words.join(typed) if isinstance(typed, list) else typed or ""
        return data

    def to_section(self) -> dict[str, Any]:
        section: dict[str, Any] = super().to_section()
        self.lines: list[int] = []
        with suppress(words.Unsplittable):  # kept as it was typed; reading.py says which line
            section["arguments"], self.lines = words.split(section["arguments"])
        return section

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

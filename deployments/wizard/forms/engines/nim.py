"""The fields of NVIDIA NIM, and what it needs besides: a licence, and a key for most images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from console.presentation.widgets import ChoiceCards
from deployments.engines import ngc
from deployments.vocabulary import Engine, NimRunner
from deployments.wizard.forms.base import Typed, text_input
from deployments.wizard.forms.engines.fields import EngineFields
from deployments.wizard.text import fit

_RUNNERS = {
    NimRunner.PODS.value: ["A StatefulSet with a volume for each replica."],
    NimRunner.OPERATOR.value: ["A NIMService, whose replicas share one volume."],
}


@dataclass(frozen=True, slots=True)
class KeyNote:
    """Where the NGC key of a deployment comes from."""

    sentence: str
    is_there: bool
    url: str = ""
    link: str = ""


class NimFields(EngineFields):
    engine = Engine.NIM
    template = "deployments/wizard/engines/nim.html"
    paths = EngineFields.common | {"profile": "profile", "runner": "runner"}

    profile = Typed(
        label="Profile",
        required=False,
        help_text="Id or name. Empty: NIM chooses by the GPUs that it finds. Its GPUs have to be those of Resources.",
        widget=text_input(),
    )
    runner = Typed(label="Run by", widget=ChoiceCards)

    def prepare(self) -> None:
        super().prepare()
        image = ngc.image_of(self.work.model.source)
        self.fields["image"].help_text = (
            f"Of NVIDIA's registry, or a mirror. Empty: {image}, from the catalogue entry."
            if image
            else "Of NVIDIA's registry, such as nvcr.io/nim/meta/llama-3.1-8b-instruct, or a mirror."
        )
        self.fields["image"].required = not image
        self.fields["image"].widget.attrs["list"] = "nim-images"
        self.fields["tag"].help_text = self._tag_help(image)
        self.fields[
            "arguments"
        ].help_text = (
            "For the engine in a NIM 2.x: a flag with its value on each line. NIM 1.x takes variables alone."
        )
        self.fields["runner"].widget = ChoiceCards(
            choices=NimRunner.choices(), facts=_RUNNERS, refused=self._refused()
        )

    def to_data(self, section: Any) -> dict[str, Any]:
        data = super().to_data(section)
        return data | {"runner": data["runner"] or NimRunner.PODS.value}

    @property
    def known(self) -> tuple[ngc.NimImage, ...]:
        """Images to choose from; any other may be written."""
        return ngc.KNOWN

    @property
    def key(self) -> KeyNote:
        """Whether the model or the cluster has an NGC key, and where to give one."""
        model, endpoint = self.work.model, self.work.endpoint
        if model.ngc_key_set_at:
            return KeyNote("The model brings its NGC key.", is_there=True)
        if endpoint and endpoint.cluster.ngc_key_set_at:
            return KeyNote(f"{endpoint.cluster.name} has an NGC key.", is_there=True)
        if endpoint is None:
            return KeyNote("The model has no NGC key.", is_there=False)
        return KeyNote(
            f"Neither the model nor {endpoint.cluster.name} has an NGC key.",
            is_there=False,
            url=reverse("cluster_edit", args=[endpoint.cluster.slug]),
            link=f"Give {endpoint.cluster.name} one",
        )

    def _tag_help(self, image: str) -> str:
        chosen = fit(str(self["image"].value() or "")) or image
        newest = ngc.newest_tag(chosen)
        return f"Any tag. The newest one known here is {newest}." if newest else "Any tag, such as 2.0.3."

    def _refused(self) -> dict[str, str]:
        """Why the operator cannot be chosen; a draft that names it already keeps it, for the preflight to judge."""
        facts = self.work.facts
        if facts is None or facts.addons.nim or self["runner"].value() == NimRunner.OPERATOR:
            return {}
        where = self.work.endpoint.cluster.name if self.work.endpoint else "the cluster"
        return {NimRunner.OPERATOR.value: f"The NIM Operator is not installed on {where}."}

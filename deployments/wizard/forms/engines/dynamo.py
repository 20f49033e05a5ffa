"""The fields of NVIDIA Dynamo: its backend, and one kind of workers or two."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from console.presentation.widgets import ChoiceCards
from deployments import document
from deployments.vocabulary import DynamoBackend, DynamoMode, Engine
from deployments.wizard.forms.base import Typed, at, put, shown, text_input
from deployments.wizard.forms.engines.fields import EngineFields, lacks

ROLES = ("prefill", "decode")
_MODES = {
    DynamoMode.AGGREGATED.value: ["Each worker reads prompts and writes answers."],
    DynamoMode.DISAGGREGATED.value: [
        "Prefill workers read prompts, decode workers write answers.",
        "The KV cache moves between them, so GPU nodes need RDMA.",
    ],
}
_BACKENDS = {
    DynamoBackend.VLLM.value: ["The same flags as the engine vLLM."],
    DynamoBackend.SGLANG.value: ["Flags of SGLang."],
    DynamoBackend.TRTLLM.value: ["Flags of TensorRT-LLM."],
}


def _number() -> Any:
    return text_input(inputmode="numeric")


class DynamoFields(EngineFields):
    engine = Engine.DYNAMO
    template = "deployments/wizard/engines/dynamo.html"
    paths = EngineFields.common | {"mode": "mode", "backend": "backend"}

    mode = Typed(label="Workers", widget=ChoiceCards(choices=DynamoMode.choices(), facts=_MODES))
    backend = Typed(label="Backend", widget=ChoiceCards)
    prefill_replicas = Typed(label="Prefill workers", widget=_number())
    prefill_gpus = Typed(label="GPUs of each", required=False, widget=_number())
    decode_replicas = Typed(label="Decode workers", widget=_number())
    decode_gpus = Typed(label="GPUs of each", required=False, widget=_number())

    def prepare(self) -> None:
        super().prepare()
        backends = ChoiceCards(choices=DynamoBackend.choices(), facts=_BACKENDS)
        if self.work.is_saved:
            backends.attrs |= self.live()
        self.fields["backend"].widget = backends
        self.fields["tag"].help_text = "The version of the Dynamo platform on the cluster, such as 1.4.0."
        self.fields["replicas"].label = "Workers"
        self.fields["replicas"].help_text = "Alike, and each with its own GPUs."
        self.fields["volume"].label = "Volume per worker"
        self.fields[
            "volume"
        ].help_text = "For weights and caches. Such as 100Gi. It comes and goes with the worker's pod."
        self.fields["arguments"].help_text = (
            "Of the backend, for every worker: a flag with its value on each line. Model, served name, GPUs and "
            "roles are set by Slipway."
        )
        gpus = at(self.work.sections.get("resources"), "gpu.count")
        for role in ROLES:
            self.fields[
                f"{role}_gpus"
            ].help_text = f"Empty: {shown(gpus) or 'as many as'}, as on the Resources page."

    def to_data(self, section: Any) -> dict[str, Any]:
        data = super().to_data(section)
        data["mode"] = data["mode"] or DynamoMode.AGGREGATED.value
        data["backend"] = data["backend"] or DynamoBackend.VLLM.value
        for role in ROLES:
            said = at(section, f"workers.{role}")
            workers = said if isinstance(said, Mapping) else {"replicas": said}
            replicas = workers.get("replicas")
            data[f"{role}_replicas"] = shown(1 if replicas is None else replicas)
            data[f"{role}_gpus"] = shown(workers.get("gpus"))
        return data

    def to_section(self) -> dict[str, Any]:
        section = super().to_section()
        section["image"] = following(section.get("image"), section.get("backend"))
        if section.get("mode") == DynamoMode.DISAGGREGATED:
            for role in ROLES:
                put(section, f"workers.{role}", self._workers(role))
        return section

    def field_of(self, path: str) -> str | None:
        for role in ROLES:
            if path.startswith(f"workers.{role}"):
                return f"{role}_gpus" if path.endswith(".gpus") else f"{role}_replicas"
        return super().field_of(path)

    @property
    def lack(self) -> str:
        """What the cluster has to get first."""
        return lacks(self.work, Engine.DYNAMO)

    def _workers(self, role: str) -> Any:
        """A number alone where they have as many GPUs as Resources says, as the document writes it."""
        replicas, gpus = (self.cleaned_data.get(f"{role}_{what}") for what in ("replicas", "gpus"))
        return {"replicas": replicas, "gpus": gpus} if gpus else replicas


def following(image: Any, backend: Any) -> Any:
    """The image after the backend was chosen: a default one follows the backend, an edited one stays."""
    if image in ("", None, *document.DYNAMO_IMAGES.values()) and backend in list(DynamoBackend):
        return document.DYNAMO_IMAGES[DynamoBackend(backend)]
    return image

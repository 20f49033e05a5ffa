"""The fields of vLLM."""

from __future__ import annotations

from typing import Any

from deployments import document
from deployments.vocabulary import Engine
from deployments.wizard import words
from deployments.wizard.forms.engines.fields import EngineFields


class VllmFields(EngineFields):
    engine = Engine.VLLM
    template = "deployments/wizard/engines/vllm.html"
    paths = EngineFields.common

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["tag"].help_text = f"A version such as {document.DEFAULT_VLLM_TAG}, or a digest sha256:…"
        arguments = self.fields["arguments"]
        arguments.widget.attrs["placeholder"] = words.EXAMPLE
        arguments.help_text = (
            "A flag with its value on each line. Put quotes around a value with spaces or around JSON. "
            "Model, port, served name and tensor parallel size are set by Slipway."
        )

"""One form per engine, and the one that a draft or a request means."""

from __future__ import annotations

from django.http import QueryDict

from deployments.document.engine import kind_of
from deployments.vocabulary import Engine
from deployments.wizard.forms.engines.dynamo import DynamoFields
from deployments.wizard.forms.engines.fields import EngineFields
from deployments.wizard.forms.engines.nim import NimFields
from deployments.wizard.forms.engines.vllm import VllmFields
from deployments.wizard.work import Work

__all__ = ["ENGINE_FORMS", "EngineFields", "engine_form"]

ENGINE_FORMS: dict[Engine, type[EngineFields]] = {
    Engine.VLLM: VllmFields,
    Engine.NIM: NimFields,
    Engine.DYNAMO: DynamoFields,
}


def engine_form(work: Work, data: QueryDict | None = None) -> EngineFields:
    """The form of the engine whose fields the page showed; without data, of the draft's engine."""
    if data is None:
        kind = kind_of(work.sections.get("engine"))
    else:
        kind = kind_of({"kind": data.get("shown") or data.get("kind")})
    return ENGINE_FORMS[kind](work, data)

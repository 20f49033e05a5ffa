"""JSON through the same forms as the pages: what is checked there is checked here, with the same sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.forms import BooleanField, CharField, ChoiceField, Field, FileField, IntegerField
from django.forms.models import BaseModelForm, ModelChoiceField, model_to_dict

from console.api.problems import Problem, of_form
from console.encryption import Sealed

_SCALARS = (str, int, bool, type(None))


def takes(form_class: type[BaseModelForm], *, is_whole: bool = True) -> dict[str, Any]:
    """What an operation that fills in this form takes, for the OpenAPI document. `is_whole`: nothing is there yet."""
    of_class: Mapping[str, Field] = form_class.base_fields  # type: ignore[attr-defined]  # the stubs lack it
    fields = {name: each for name, each in of_class.items() if _is_sent(each)}
    schema: dict[str, Any] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {name: _described(each) for name, each in fields.items()},
    }
    if is_whole:
        schema["required"] = [name for name, each in fields.items() if each.required and not _has_usual(each)]
    return {"requestBody": {"content": {"application/json": {"schema": schema}}}}


def _described(field: Field) -> dict[str, Any]:
    note = ". ".join(str(each) for each in (field.label, field.help_text) if each)
    kind: dict[str, Any] = {"type": "string"}
    if isinstance(field, BooleanField):
        kind = {"type": "boolean"}
    elif isinstance(field, IntegerField):
        kind = {"type": ["integer", "null"]}
    elif isinstance(field, ModelChoiceField):
        note = f"Its short name. {note}".strip()
    elif isinstance(field, ChoiceField):
        kind["enum"] = [value for value, _ in list[Any](field.choices)]  # type: ignore[arg-type]
    elif isinstance(field, CharField) and field.max_length:
        kind["maxLength"] = field.max_length
    return {**kind, **({"description": note} if note else {})}


def _has_usual(field: Field) -> bool:
    """What is not sent has its usual value."""
    return field.initial not in (None, "") or isinstance(field, BooleanField)


def _is_sent(field: Field) -> bool:
    """JSON holds no files: what a form takes from one, it takes as text as well."""
    return not isinstance(field, FileField)


def filled(
    form_class: type[BaseModelForm],
    given: Mapping[str, Any],
    *,
    instance: Any = None,
    references: Mapping[str, Mapping[str, Any]] | None = None,
    **options: Any,
) -> BaseModelForm:
    """A valid form of what was sent; of an instance, what was not sent stays. Raises Problem.

    `references`: for fields that name another row, its key by the word that the API uses.
    """
    empty = form_class(instance=instance, **options)
    unknown = sorted(set(given) - {name for name, each in empty.fields.items() if _is_sent(each)})
    if unknown:
        raise Problem(422, errors=[(name[:100], "There is no such value here.") for name in unknown[:20]])
    odd = [name for name, value in given.items() if not isinstance(value, _SCALARS)]
    if odd:
        raise Problem(422, errors=[(name, "It is a text, a number, true, false or null.") for name in odd])
    data = _as_form(model_to_dict(instance, [*empty.fields])) if instance is not None else {}
    data |= {
        name: field.initial
        for name, field in empty.fields.items()
        if name not in data and instance is None and field.initial is not None
    }
    for name, value in given.items():
        known = (references or {}).get(name)
        if known is None:
            data[name] = value
            continue
        if str(value) not in known:
            raise Problem(422, errors=[(name, f"There is no {name} “{str(value)[:60]}”.")])
        data[name] = known[str(value)]
    form = form_class(_as_form(data), instance=instance, **options)
    if not form.is_valid():
        raise of_form(form)
    return form


def _as_form(data: Mapping[str, Any]) -> dict[str, Any]:
    """As a browser would send it: texts; what is off or empty is not sent, and no secret, so that it stays."""
    return {
        name: "on" if value is True else str(getattr(value, "value", value))
        for name, value in data.items()
        if value is not None and value is not False and not isinstance(value, Sealed)
    }

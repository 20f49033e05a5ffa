"""JSON through the same forms as the pages: what is checked there is checked here, with the same sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.forms.models import BaseModelForm, model_to_dict

from console.api.problems import Problem, of_form
from console.encryption import Sealed

_SCALARS = (str, int, bool, type(None))


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
    unknown = sorted(set(given) - set(empty.fields))
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

"""Template tags behind `components/field.html` and `components/form_errors.html`: `{% load fields %}`."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from django import forms, template
from django.utils.safestring import SafeString

from console.presentation.widgets import ChoiceCards

register = template.Library()


class Problem(NamedTuple):
    """One line of the summary above a form; *target* is the id to jump to, empty for the form as a whole."""

    label: str
    message: str
    target: str


@register.inclusion_tag("components/field.html")
def field(field: forms.BoundField, **options: Any) -> dict[str, Any]:
    """`{% field form.memory unit="GiB" %}`: one field; the options are those of components/field.html."""
    return {"field": field, **options}


@register.simple_tag
def control_kind(field: forms.BoundField) -> str:
    """Say how a field is laid out: hidden, checkbox, cards, checks, select or input."""
    widget = field.field.widget
    if field.is_hidden:
        return "hidden"
    for kind, classes in (
        ("cards", ChoiceCards),
        ("checks", (forms.RadioSelect, forms.CheckboxSelectMultiple)),
        ("checkbox", forms.CheckboxInput),
        ("multiselect", forms.SelectMultiple),
        ("select", forms.Select),
    ):
        if isinstance(widget, classes):
            return kind
    return "input"


@register.simple_tag
def control(field: forms.BoundField, *, has_help: bool = False, placeholder: str | bool = "") -> SafeString:
    """Render the field's widget with our classes, its description (help, error) and its state."""
    widget = field.field.widget
    attrs: dict[str, Any] = {}
    described = [f"{field.auto_id}_helptext"] if has_help else []
    described += [f"{field.auto_id}_error"] if field.errors else []
    if described:
        attrs["aria-describedby"] = " ".join(described)
    if css := _css(widget):
        attrs["class"] = f"{css} {widget.attrs.get('class', '')}".strip()
    if placeholder or placeholder is False:
        attrs["placeholder"] = placeholder
    return field.as_widget(attrs=attrs)


@register.simple_tag
def form_problems(*items: Any) -> list[Problem]:
    """List what is wrong in forms and formsets, in the order of their fields."""
    found: list[Problem] = []
    for item in items:
        if isinstance(item, forms.BaseFormSet):
            found += [Problem("", str(message), "") for message in item.non_form_errors()]
            for form in item.forms:
                found += _problems(form)
        elif item:
            found += _problems(item)
    return found


def _problems(form: forms.BaseForm) -> Iterator[Problem]:
    for message in form.non_field_errors():
        yield Problem("", str(message), "")
    for field in form:
        for message in field.errors:
            yield Problem(str(field.label or ""), str(message), "" if field.is_hidden else _target(field))


def _target(field: forms.BoundField) -> str:
    # A group of radios has no control with its own id; the first radio is where the keyboard enters it.
    return f"{field.auto_id}_0" if field.use_fieldset else str(field.auto_id)


def _css(widget: forms.Widget) -> str:
    if isinstance(widget, (forms.RadioSelect, forms.CheckboxSelectMultiple, forms.CheckboxInput)):
        return ""
    if isinstance(widget, forms.Select):
        return "select"
    if isinstance(widget, forms.Textarea):
        return "input area"
    return "input"

"""What the steps' forms share: fields that take what was typed, and the way from problems to fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms
from django.http import QueryDict

from deployments.document import Problem
from deployments.wizard.steps import Step
from deployments.wizard.text import fit
from deployments.wizard.work import Work


class Shown(forms.BoundField):
    """Shows what was typed, less the characters that no page can hold."""

    def value(self) -> Any:
        value = super().value()
        return fit(value) if isinstance(value, str) else value


class Typed(forms.Field):
    """Takes any text as it was typed. `required` only decides whether the label says "(optional)"."""

    widget = forms.TextInput

    def to_python(self, value: Any) -> str:
        return "" if value is None else str(value).replace("\r\n", "\n").strip()

    def validate(self, value: Any) -> None:
        """The document's rules judge."""

    def get_bound_field(self, form: forms.BaseForm, field_name: str) -> forms.BoundField:
        return Shown(form, self, field_name)


def text_input(**attrs: Any) -> forms.TextInput:
    """An input that leaves spelling and capitals to the person."""
    plain = {"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}
    return forms.TextInput(attrs={**plain, **attrs})


class SectionForm(forms.Form):
    """One step's part of the document as fields.

    Made from a section, it shows that section with its problems; made from posted data, `section` is what the data
    says, valid or not.
    """

    step: ClassVar[Step]
    paths: ClassVar[dict[str, str]] = {}
    """Field name to its place in the section, dotted."""
    use_required_attribute = False

    def __init__(self, work: Work, data: QueryDict | None = None) -> None:
        self.work = work
        section = work.sections.get(self.step.slug)
        super().__init__(data if data is not None else self.to_data(section))
        self.section: Any = section
        self.prepare()

    def prepare(self) -> None:
        """Fills in what depends on the draft: choices, facts, texts."""

    def to_data(self, section: Any) -> dict[str, Any]:
        """The section as if it had been posted."""
        return {name: shown(at(section, path)) for name, path in self.paths.items()}

    def to_section(self) -> Any:
        """What the fields say, in the document's format, valid or not."""
        section: dict[str, Any] = {}
        for name, path in self.paths.items():
            put(section, path, self.cleaned_data.get(name))
        return section

    def clean(self) -> None:
        self.section = self.to_section()
        reading = self.work.with_section(self.step, self.section)
        for problem in reading.of(self.step):
            self.note(problem)

    def note(self, problem: Problem) -> None:
        """Puts a problem beside its field, or above the form when it has none."""
        self.add_error(self.field_of(self.inside(problem.path)), fit(problem.message))

    def inside(self, path: str) -> str:
        """A problem's path without the part that names this section."""
        return path.removeprefix(f"spec.{self.step.key}").lstrip(".")

    def field_of(self, path: str) -> str | None:
        """The field for a path inside the section, None for the whole."""
        for name, own in self.paths.items():
            if path == own or path.startswith((f"{own}[", f"{own}.")):
                return name
        return None

    @property
    def is_complete(self) -> bool:
        return self.is_valid()

    def secrets(self) -> dict[str, str] | None:
        """Secret values after this form; None where a step has none to say."""
        return None

    def saved(self) -> None:
        """Called when the draft holds what this form says."""


def at(section: Any, path: str) -> Any:
    """The value at a dotted path, None when there is none."""
    for key in path.split("."):
        if not isinstance(section, Mapping):
            return None
        section = section.get(key)
    return section


def put(section: dict[str, Any], path: str, value: Any) -> None:
    """Sets the value at a dotted path; parts on the way are made."""
    *parents, last = path.split(".")
    for key in parents:
        section = section.setdefault(key, {})
    section[last] = value


def shown(value: Any) -> Any:
    """A value of the document as a form field holds it."""
    return value if isinstance(value, bool) else "" if value is None else str(value)

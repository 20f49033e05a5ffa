"""Environment: rows of variables. Secret values go in and never come out again."""

from __future__ import annotations

import re
from typing import Any, cast

from django import forms
from django.http import QueryDict

from deployments.document import MOST_VARIABLES, Problem, rules
from deployments.document.rules import Refused
from deployments.engines.environment import Rule, explained, judge
from deployments.vocabulary import Engine
from deployments.wizard import steps
from deployments.wizard.forms.base import SectionForm, Typed, text_input
from deployments.wizard.text import fit
from deployments.wizard.work import Work, typed_secrets

PREFIX = "variables"
#: Blank and removed rows count here.
_MOST_ROWS = MOST_VARIABLES + 20
_HIDDEN = {"autocomplete": "off"}


class VariableForm(forms.Form):
    """One row. The value of a secret one is empty when a value is kept."""

    use_required_attribute = False

    name = Typed(label="Name", widget=text_input())
    value = Typed(label="Value", required=False, widget=text_input())
    secret = forms.BooleanField(label="Secret", required=False)
    was = Typed(required=False, widget=forms.HiddenInput)
    """The name under which its secret value is kept, so that a new name does not lose it."""

    kept_names: frozenset[str] = frozenset()

    def __init__(
        self,
        *args: Any,
        kept_names: frozenset[str] = frozenset(),
        engine: Engine = Engine.VLLM,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.kept_names, self.engine = kept_names, engine
        if self["secret"].value():
            self.fields["value"].widget = forms.PasswordInput(render_value=False, attrs=_HIDDEN)

    @property
    def is_kept(self) -> bool:
        """True when a value is stored for this secret."""
        name = str(self["was"].value() or self["name"].value() or "")
        return bool(self["secret"].value()) and name in self.kept_names

    @property
    def warning(self) -> str:
        """What speaks against an accepted name; empty when nothing does."""
        verdict = judge(str(self["name"].value() or "").strip(), self.engine)
        return verdict.why if verdict and not verdict.refused else ""


class VariableRows(forms.BaseFormSet):
    """The rows; those that are blank or marked as removed say nothing."""

    work: Work

    def filled(self) -> list[VariableForm]:
        return [
            form
            for form in self.forms
            if form.has_changed() and not form.cleaned_data.get("DELETE") and _says_something(form)
        ]

    def to_section(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        for form in self.filled():
            name = form.cleaned_data.get("name", "")
            if form.cleaned_data.get("secret"):
                rows.append({"name": name, "secret": True})
            else:
                rows.append({"name": name, "value": form.cleaned_data.get("value", "")})
        return rows

    def typed(self) -> dict[str, str]:
        """New secret values by name; those that cannot be used are left out."""
        values = {}
        for form in self.filled():
            if form.cleaned_data.get("secret") and (value := form.cleaned_data.get("value")):
                try:
                    values[form.cleaned_data.get("name", "")] = rules.variable_value(value)
                except Refused as refused:
                    form.add_error("value", str(refused))
        return values

    def renamed(self) -> dict[str, str]:
        """Secret rows without a new value: their name now, to the name under which their value is kept."""
        return {
            form.cleaned_data["name"]: form.cleaned_data["was"]
            for form in self.filled()
            if form.cleaned_data.get("secret")
            and not form.cleaned_data.get("value")
            and form.cleaned_data.get("was")
        }


def _says_something(form: forms.BaseForm) -> bool:
    values = form.cleaned_data
    return bool(values.get("name") or values.get("value") or values.get("secret"))


_Rows = forms.formset_factory(
    VariableForm,
    formset=VariableRows,
    extra=1,
    can_delete=True,
    max_num=MOST_VARIABLES,
    absolute_max=_MOST_ROWS,
)


class EnvironmentForm(SectionForm):
    """The step's form around the rows, so that the views meet one kind of form."""

    step = steps.ENVIRONMENT

    def __init__(self, work: Work, data: QueryDict | None = None) -> None:
        rows = rows_as_data(work.sections.get("environment")) if data is None else data
        self.rows = cast(
            VariableRows,
            _Rows(
                rows,
                prefix=PREFIX,
                form_kwargs={"kept_names": work.secret_names, "engine": work.engine},
            ),
        )
        self._typed: dict[str, str] = {}
        self._moved: dict[str, str] = {}
        super().__init__(work, data)

    def to_data(self, section: Any) -> dict[str, Any]:
        """Bound, so that it is judged; the rows carry the data."""
        return {"rows": True}

    def clean(self) -> None:
        counts = self.rows.management_form
        if not counts.is_valid() or not 0 <= (counts.cleaned_data["TOTAL_FORMS"] or 0) <= _MOST_ROWS:
            self.add_error(None, "The rows did not arrive whole. Send the form again.")
            return
        for form in self.rows.forms:
            form.is_valid()
        if len(self.rows.filled()) > MOST_VARIABLES:
            self.add_error(None, f"At most {MOST_VARIABLES} variables are allowed. Remove some.")
            return
        self.section = self.rows.to_section()
        self._typed = self.rows.typed()
        known = self.work.secret_names
        self._moved = {new: old for new, old in self.rows.renamed().items() if old in known}
        reading = self.work.with_section(self.step, self.section, frozenset([*self._typed, *self._moved]))
        for problem in reading.of(self.step):
            self.note(problem)

    def note(self, problem: Problem) -> None:
        """Beside the row's name or value; above the form when it is about all rows."""
        place = re.match(r"spec\.environment\[(\d+)\](?:\.(\w+))?", problem.path)
        filled = self.rows.filled()
        if place is None or int(place[1]) >= len(filled):
            self.add_error(None, fit(problem.message))
            return
        row = filled[int(place[1])]
        if place[2] == "value" and row.errors.get("value"):
            return  # a value that was refused is not also missing
        row.add_error(place[2] if place[2] in row.fields else "name", fit(problem.message))

    @property
    def is_complete(self) -> bool:
        return self.is_valid() and not any(form.errors for form in self.rows.filled())

    def secrets(self) -> dict[str, str]:
        """Every secret value of the draft after this form. Opens those that are kept."""
        self.is_valid()
        values = typed_secrets(self.work.draft)
        renamed = {new: old for new, old in self._moved.items() if new != old}
        stored = self.work.stored_secrets() if renamed else {}
        values |= {new: values.get(old) or stored.get(old, "") for new, old in renamed.items()}
        values |= self._typed
        wanted = {row["name"] for row in self.section or [] if row.get("secret")}
        return {name: value for name, value in values.items() if name in wanted and name and value}

    def explained(self) -> list[Rule]:
        """The names that are refused or risky, with the reasons."""
        return list(explained(self.work.engine))

    def saved(self) -> None:
        for row in self.rows.forms:
            row.kept_names = self.work.secret_names


def rows_as_data(section: Any) -> dict[str, Any]:
    """The stored rows and a blank one, as if they had been posted."""
    rows = [row for row in section if isinstance(row, dict)] if isinstance(section, list) else []
    data: dict[str, Any] = {f"{PREFIX}-TOTAL_FORMS": len(rows) + 1, f"{PREFIX}-INITIAL_FORMS": 0}
    for index, row in enumerate(rows):
        at = f"{PREFIX}-{index}"
        data[f"{at}-name"] = row.get("name") or ""
        if row.get("secret"):
            data |= {f"{at}-secret": "on", f"{at}-was": row.get("name") or ""}
        else:
            data[f"{at}-value"] = row.get("value") or ""
    return data

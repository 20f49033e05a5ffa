"""Rows that people make, change and delete in forms: saved and recorded in one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from django import forms
from django.db import models, transaction

from console.audit.recording import record, thing_of

Row = TypeVar("Row", bound=models.Model)


def columns(row: models.Model, names: Sequence[str]) -> dict[str, Any]:
    """What an entry says of a row; another row is said by its name, and a secret stays sealed."""
    return {name: _said(getattr(row, name)) for name in names}


@contextmanager
def changing(row: models.Model, names: Sequence[str]) -> Iterator[None]:
    """Inside, the row is saved; afterwards what that changed in these columns is recorded, in the same transaction."""
    with transaction.atomic():
        # As it is in the database: a form has changed its own instance already.
        stored = type(row)._default_manager.select_for_update(of=("self",)).filter(pk=row.pk).first()
        before = columns(stored, names) if stored else None
        yield
        verb = "edited" if stored else "created"
        record(f"{thing_of(row).kind}.{verb}", row, before=before, after=columns(row, names))


def save(form: forms.ModelForm[Row], names: Sequence[str]) -> Row:
    """Saves a valid form of a row. Raises what saving raises."""
    with changing(form.instance, names):
        return form.save()


def delete(row: models.Model, names: Sequence[str]) -> None:
    """Raises what deleting raises, such as ProtectedError."""
    with transaction.atomic():
        thing, before = thing_of(row), columns(row, names)
        row.delete()
        record(f"{thing.kind}.deleted", thing, before=before)


def _said(value: object) -> object:
    return thing_of(value).name if isinstance(value, models.Model) else value

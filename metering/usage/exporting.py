"""Answers as files: CSV that no spreadsheet takes for formulas, and JSON whose amounts are exact."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import Any

from console.presentation.cells import neutral
from metering.pricing import in_full
from metering.usage.asking import Question
from metering.usage.sums import Answer, Figures

_COUNTS = ("requests", "adjustments", "input_tokens", "cached_tokens", "output_tokens")


def as_csv(question: Question, answer: Answer) -> str:
    """RFC 4180: one line for each row and currency, those without a price with neither currency nor amount."""
    target = io.StringIO()
    writer = csv.writer(target)
    writer.writerow([question.group.word, *_COUNTS, *_money_columns(answer)])
    currencies = sorted(answer.total.amounts)
    for row in answer.rows:
        amounts = [row.figures.amounts.get(currency) for currency in currencies]
        cells = ["" if amount is None else in_full(amount) for amount in amounts]
        writer.writerow([neutral(row.name), *row.figures[:5], *cells])
    return target.getvalue()


def _money_columns(answer: Answer) -> list[str]:
    return [f"amount_{currency}" for currency in sorted(answer.total.amounts)]


def as_json(question: Question, answer: Answer) -> dict[str, Any]:
    """Amounts are texts: JSON's numbers are not exact."""
    period = question.period
    return {
        "by": question.group.word,
        "from": f"{period.begin:%Y-%m-%dT%H:%M:%SZ}",
        "to": f"{period.end:%Y-%m-%dT%H:%M:%SZ}",
        "filters": question.filters,
        "rows": [
            {
                **{name: _plain(value) for name, value in zip(question.group.columns, row.key, strict=True)},
                "name": row.name,
                **_said(row.figures),
            }
            for row in answer.rows
        ],
        "total": _said(answer.total),
        "is_cut": answer.is_cut,
    }


def _plain(value: Any) -> Any:
    return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if isinstance(value, datetime) else value


def _said(figures: Figures) -> dict[str, Any]:
    amounts = {currency: in_full(amount) for currency, amount in sorted(figures.amounts.items())}
    return {**dict(zip(_COUNTS, figures[:5], strict=True)), "amounts": amounts}

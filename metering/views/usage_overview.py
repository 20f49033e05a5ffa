"""Usage and cost on a page, as files, and as JSON for programs: one question, three ways to be answered."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.http import HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from console.access import Permission, requires
from console.http import Request, page
from console.presentation.figures import money
from metering.period import PRESETS, BadPeriod
from metering.usage import asking, exporting, sums
from metering.usage.asking import BadQuestion, Group, Question
from metering.usage.sums import Answer, Figures, Row

_PERIODS = {"24h": "24 h", "7d": "7 d", "30d": "30 d"}
#: Filters that a click on a row sets, by the group of the row.
_NARROWS = {
    Group.ORGANIZATION: ("organization", Group.DEPLOYMENT),
    Group.MODEL: ("model", Group.ORGANIZATION),
    Group.DEPLOYMENT: ("deployment", Group.API_KEY),
    Group.USER: ("user", Group.API_KEY),
    Group.API_KEY: ("api-key", Group.TIME),
}


@require_safe
@requires(Permission.USAGE)
def overview(request: Request) -> HttpResponse:
    """`?by=` how to add up, a period and filters; `?format=csv` or `json` is the same as a file."""
    now, problem = timezone.now(), ""
    try:
        question = asking.read(request.GET, now)
    except (BadPeriod, BadQuestion) as error:
        question, problem = asking.read({}, now), str(error)
    answer = sums.answer(question)
    wanted = request.GET.get("format")
    if wanted == "csv" and not problem:
        return _as_file(question, exporting.as_csv(question, answer))
    if wanted == "json" and not problem:
        return JsonResponse(exporting.as_json(question, answer))
    context = {
        "problem": problem,
        "question": question,
        "kept": {"by": question.group.word, **question.filters},
        "begin": question.period.local[0],
        "end": question.period.local[1],
        "periods": [
            {
                "label": _PERIODS[key],
                "url": question.address(period=key),
                "current": key == question.period.key,
            }
            for key in PRESETS
        ],
        "groups": [
            {"label": group.label, "url": question.address(group), "current": group is question.group}
            for group in Group
            if group is not Group.TOTAL
        ],
        "filters": [
            {"label": f"{word.replace('-', ' ')} {value}", "url": question.without(word)}
            for word, value in question.filters.items()
        ],
        "stats": _stats(answer.total),
        "currencies": sorted(answer.total.amounts),
        "rows": [_shown(question, answer, row) for row in answer.rows],
        "total": answer.total,
        "total_amounts": amounts_of(answer.total, answer),
        "has_corrections": bool(answer.total.corrections),
        "is_cut": answer.is_cut,
        "most_rows": sums.MOST_ROWS,
        "address": question.address(),
    }
    return page(request, "metering/usage.html", context, status=422 if problem else 200)


def _as_file(question: Question, text: str) -> HttpResponse:
    response = HttpResponse(text, content_type="text/csv; charset=utf-8")
    period = question.period
    name = f"usage-by-{question.group.word}-{period.begin:%Y%m%d}-{period.end:%Y%m%d}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _stats(total: Figures) -> list[dict[str, Any]]:
    cached = f"{total.cached_tokens:,} of them from the cache" if total.cached_tokens else ""
    amounts = [_about(amount, currency) for currency, amount in sorted(total.amounts.items())]
    return [
        {"name": "Requests", "value": f"{total.requests:,}", "note": ""},
        {"name": "Input tokens", "value": f"{total.input_tokens:,}", "note": cached},
        {"name": "Output tokens", "value": f"{total.output_tokens:,}", "note": ""},
        {
            "name": "Amount",
            "value": amounts[0] if amounts else "–",
            "note": " and ".join(amounts[1:]) or ("" if amounts else "Nothing of it has a price"),
        },
    ]


def _about(amount: Decimal, currency: str) -> str:
    """To the cent; what is less than one is said to be."""
    cent = Decimal("0.01")
    if 0 < amount < cent:
        return f"< {money(cent, currency)}"
    return money(amount.quantize(cent), currency)


def _shown(question: Question, answer: Answer, row: Row) -> dict[str, Any]:
    narrows = _NARROWS.get(question.group)
    url = ""
    if narrows and narrows[0] not in question.filters:
        url = question.address(narrows[1], **{narrows[0]: row.key[0]})
    name = row.name
    if question.group is Group.TIME:
        name = sums.time_name(row.key[0], question.period)
    return {"name": name, "url": url, "figures": row.figures, "amounts": amounts_of(row.figures, answer)}


def amounts_of(figures: Figures, answer: Answer) -> list[str]:
    """One for each currency of the whole answer, in its order; every digit that an amount has."""
    found = (figures.amounts.get(currency) for currency in sorted(answer.total.amounts))
    currencies = sorted(answer.total.amounts)
    return [
        money(amount, currency) if amount is not None else ""
        for amount, currency in zip(found, currencies, strict=True)
    ]

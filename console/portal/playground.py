"""The playground: a conversation with one model, or with two that are compared. It is metered like any other call.

A script asks `answer` and shows each piece as it comes; without one, the form is posted to the page itself, which then
shows whole answers. Either way the portal calls the gateway with a key of the person that no browser ever has.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import Any

from asgiref.sync import sync_to_async
from django.db import close_old_connections
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from console.http import Request, page
from console.portal import relay
from console.portal.asking import AskForm, Message
from console.portal.relay import Event, Wish
from console.portal.shared import SharedModel, models_of
from console.visiting import Visit, in_portal
from metering import playground_key
from metering.issuing import Refused


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@in_portal
def playground(request: Request) -> HttpResponse:
    """`?model=` and `?other=` choose; a POST without a script shows the answers whole."""
    visit = request.visit
    models = [model for model in models_of(visit, timezone.now()) if model.talks]
    if not models:
        status = 200 if request.method != "POST" else 404
        return page(request, "portal/playground.html", {"visit": visit, "models": []}, status=status)
    given = {"model": request.GET.get("model") or models[0].name, "other": request.GET.get("other", "")}
    form = AskForm(models, request.POST if request.method == "POST" else None, initial=given)
    panes: list[dict[str, Any]] = []
    if request.method == "POST" and form.is_valid():
        try:
            panes = _whole(visit, form, models)
        except Refused as refused:
            form.add_error(None, str(refused))
    context = {
        "visit": visit,
        "models": models,
        "form": form,
        "panes": panes,
        "asked": form.cleaned_data.get("message", "") if panes else "",
        "most_tokens": form.fields["max_tokens"].max_value,  # type: ignore[attr-defined]
    }
    return page(request, "portal/playground.html", context, status=422 if form.errors else 200)


@require_POST
@never_cache
@in_portal
def answer(request: Request) -> HttpResponseBase:
    """Events of one model's answer as lines of JSON (relay.py), each as soon as it is known."""
    visit = request.visit
    models = [model for model in models_of(visit, timezone.now()) if model.talks]
    form = AskForm(models, request.POST)
    if not form.is_valid():
        return JsonResponse({"sentence": _first_error(form)}, status=422)
    try:
        wish = _wishes(visit, form, models)[0]
    except Refused as refused:
        return JsonResponse({"sentence": str(refused)}, status=422)
    response = StreamingHttpResponse(_lines(wish), content_type="application/x-ndjson")
    response["X-Accel-Buffering"] = "no"
    return response


async def _lines(wish: Wish) -> AsyncIterator[bytes]:
    # An answer takes minutes, and whoever waits for one does not need a connection to the database meanwhile.
    await sync_to_async(close_old_connections)()
    async with aclosing(relay.events(wish)) as found:
        async for event in found:
            yield json.dumps(event).encode() + b"\n"


def _wishes(visit: Visit, form: AskForm, models: Sequence[SharedModel]) -> list[Wish]:
    """One for each model that is asked. Raises Refused."""
    said = form.cleaned_data
    names = dict.fromkeys(name for name in (said["model"], said["other"]) if name)
    rates = {model.name: model.terms.rates for model in models}
    secret = playground_key.secret_of(visit.user, visit.organization)
    return [Wish(form.request_to(name), secret, rates[name]) for name in names]


def _whole(visit: Visit, form: AskForm, models: Sequence[SharedModel]) -> list[dict[str, Any]]:
    """For a page without a script: what each model answered, and what it took."""
    wishes = _wishes(visit, form, models)

    async def collect(wish: Wish) -> list[Event]:
        return [event async for event in relay.events(wish)]

    async def both() -> list[list[Event]]:
        return await asyncio.gather(*map(collect, wishes))

    with ThreadPoolExecutor(1) as thread:  # this one may have an event loop already
        found = thread.submit(asyncio.run, both()).result()
    return [
        _pane(str(wish.content["model"]), form, events) for wish, events in zip(wishes, found, strict=True)
    ]


def _pane(name: str, form: AskForm, events: list[Event]) -> dict[str, Any]:
    text = "".join(event["text"] for event in events if event["event"] == "text")
    last = events[-1] if events else relay.CANNOT_REACH
    before: list[Message] = form.cleaned_data["history"]
    return {
        "name": name,
        "before": before,
        "text": text,
        "end": last if last["event"] == "end" else None,
        "refused": last if last["event"] == "refused" else None,
    }


def _first_error(form: AskForm) -> str:
    """The sentence of the first field that is wrong, with its name."""
    name, errors = next(iter(form.errors.items()))
    label = form[name].label if name in form.fields else ""
    return f"{label}: {errors[0]}" if label else str(errors[0])

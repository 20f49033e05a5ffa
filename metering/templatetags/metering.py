"""Template tags of metering's pages."""

from __future__ import annotations

from typing import Any

from django import template
from django.conf import settings
from django.urls import reverse

from console.encryption import Sealed
from deployments.vocabulary import UseCase
from metering.views.place import Place

register = template.Library()


@register.simple_tag
def place_url(place: Place, name: str, *args: object) -> str:
    """`{% place_url place "detail" key.pk %}`: the address of a page of keys, where these pages are shown now."""
    return reverse(place.url(name), args=args)


@register.inclusion_tag("metering/sample.html")
def call_sample(model: str, key: Sealed | None = None, use_case: UseCase = UseCase.CHAT) -> dict[str, Any]:
    """A first request to a model through the gateway, ready to copy; `key` only in the one answer that may show it."""
    return {
        "model": model,
        "key": key,
        "address": f"{settings.GATEWAY_URL.rstrip('/')}/v1",
        "embeds": use_case is UseCase.EMBEDDING,
        "completes": use_case is UseCase.COMPLETION,
    }

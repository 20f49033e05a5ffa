"""Template tags of metering's pages."""

from __future__ import annotations

from django import template
from django.urls import reverse

from metering.views.keys import Place

register = template.Library()


@register.simple_tag
def place_url(place: Place, name: str, *args: object) -> str:
    """`{% place_url place "detail" key.pk %}`: the address of a page of keys, where these pages are shown now."""
    return reverse(place.url(name), args=args)

"""Template filters and tags for numbers and times: `{% load figures %}`.

The text itself is made in console.presentation, which can be used without Django.
"""

from datetime import datetime, timedelta
from decimal import Decimal

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from console.presentation import figures, times

register = template.Library()


@register.filter
def number(value: int | Decimal | None, places: int | None = None) -> str:
    """`{{ 6788|number }}` is 6,788; `{{ rate|number:1 }}` has one digit after the point."""
    return figures.grouped(value, places)


@register.filter
def compact(value: int | Decimal | None) -> str:
    """`{{ 61700000|compact }}` is 61.7 M."""
    return figures.compact(value)


@register.filter
def money(amount: Decimal | int | None, currency: str = "USD") -> str:
    """`{{ price|money:"EUR" }}` is €0.55."""
    return figures.money(amount, currency)


@register.filter
def size(count: int | None) -> str:
    """`{{ bytes|size }}` is 30.5 GiB."""
    return figures.size(count)


@register.filter
def decimal_size(count: int | None) -> str:
    """`{{ bytes|decimal_size }}` is 14.2 GB, as registries and vendors count."""
    return figures.size(count, binary=False)


@register.filter
def duration(span: timedelta | int | None) -> str:
    """`{{ elapsed|duration }}` is 9 min 14 s; takes a timedelta or seconds."""
    return times.duration(span)


@register.filter
def age(moment: datetime | timedelta | None) -> str:
    """`{{ pod.created|age }}` is 18 d: the time since, in the largest unit."""
    return times.age(timezone.now() - moment if isinstance(moment, datetime) else moment)


@register.filter
def share_of(part: int | Decimal | None, whole: int | Decimal | None) -> Decimal:
    """`{{ used|share_of:limit }}` is 46.2, between 0 and 100, for the width of a bar."""
    return figures.share(part, whole)


@register.filter
def phase_fill(elapsed: timedelta, expected: timedelta | None) -> Decimal:
    """`{{ phase.elapsed|phase_fill:phase.expected }}`: the bar's width; 40 is on time, 100 the end."""
    if not expected:
        return Decimal(40)
    tick = timedelta(microseconds=1)
    return figures.share(elapsed // tick * 40, expected // tick * 100)


@register.filter
def initials(name: str) -> str:
    """`{{ "Alice Berg"|initials }}` is AB."""
    return figures.initials(name)


@register.simple_tag
def when(at: datetime | None, *, seconds: bool = False) -> str:
    """`{% when deployment.created %}` is `14:02` today, `22 Nov 14:00` otherwise, in a time element; UTC."""
    if at is None:
        return figures.MISSING
    return _time(at, times.moment(at, timezone.now(), seconds=seconds))


@register.simple_tag
def ago(at: datetime | None) -> str:
    """`{% ago cluster.observed %}` is `4 s ago`; time.js keeps it true while the page stays open."""
    if at is None:
        return figures.MISSING
    return _time(at, times.ago(at, timezone.now()), relative=True)


def _time(at: datetime, text: str, *, relative: bool = False) -> SafeString:
    return format_html(
        '<time datetime="{}" title="{}"{}>{}</time>',
        times.iso(at),
        times.full_moment(at),
        SafeString(" data-relative") if relative else "",
        text,
    )

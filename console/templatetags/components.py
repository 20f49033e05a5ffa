"""The building blocks of pages as template tags: `{% load components %}`.

A tag exists where a partial alone does not do: because it wraps content (card, notice, dialog …), looks
something up (icon, nav_link) or works something out (berths, diff). The markup is in templates/components/.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from django import template
from django.template.loader import render_to_string
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from lucide.templatetags.lucide import lucide

register = template.Library()

TONE_ICONS = {
    "good": "circle-check",
    "warn": "triangle-alert",
    "bad": "octagon-x",
    "busy": "loader",
    "idle": "circle-dashed",
}
MESSAGE_TONES = {"success": "good", "warning": "warn", "error": "bad"}
BERTH_PITCH = 19
BERTHS_PER_ROW = 8


@register.simple_tag
def icon(name: str, extra: str = "") -> SafeString:
    """`{% icon "rocket" %}`: a Lucide icon, hidden from screen readers. An unknown name raises.

    *extra* is added to the class, as in `{% icon "loader" "icon-spin" %}`.
    """
    return _svg(str(name), f"icon {extra}".strip())


@register.inclusion_tag("components/badge.html")
def badge(state: Any = None, *, tone: Any = "", label: str = "", icon: str = "") -> dict[str, str]:
    """`{% badge deployment.phase %}`, or `{% badge tone="warn" label="Slow" %}`.

    The first takes anything that has tone, icon and label. The icon defaults to that of the tone, and turns
    while the tone is busy.
    """
    tone = _word(tone or getattr(state, "tone", "idle"))
    return {
        "tone": tone,
        "icon": icon or getattr(state, "icon", "") or TONE_ICONS[tone],
        "label": label or str(state.label if hasattr(state, "label") else state),
        "spin": "icon-spin" if tone == "busy" else "",
    }


@register.filter
def tone_icon(tone: Any) -> str:
    """`{% icon finding.tone|tone_icon %}`: the icon of a tone. An unknown one raises KeyError."""
    return TONE_ICONS[_word(tone)]


@register.filter
def tone_word(tone: Any) -> str:
    """`data-tone="{{ phase.tone|tone_word }}"`: the attribute's value, of the enum or the word."""
    return _word(tone)


@register.filter
def message_tone(level_tag: str) -> str:
    """Return the tone for a level of Django's messages: success is good, info is idle."""
    return MESSAGE_TONES.get(level_tag, "idle")


@register.simple_block_tag(end_name="endcard")
def card(content: str, title: str = "", **options: Any) -> SafeString:
    """`{% card "Access" note="Last minute" %}…{% endcard %}`; options in templates/components/card.html."""
    return _wrapped("card", content, title=title, **options)


@register.simple_block_tag(end_name="endnotice")
def notice(content: str, tone: Any, title: str, **options: Any) -> SafeString:
    """`{% notice "bad" "Cannot reach fra-1" %}<p>…</p>{% endnotice %}`."""
    return _wrapped("notice", content, tone=_word(tone), title=title, **options)


@register.simple_block_tag(end_name="enddiagnosis")
def diagnosis(content: str, tone: Any, sentence: str, **options: Any) -> SafeString:
    """`{% diagnosis status.tone status.sentence remedy=status.remedy %}buttons{% enddiagnosis %}`."""
    return _wrapped("diagnosis", content, tone=_word(tone), sentence=sentence, **options)


@register.simple_block_tag(end_name="endmenu")
def menu(content: str, id: str, label: str, **options: Any) -> SafeString:
    """`{% menu "menu-3" "Actions for llama" small=True %}<a …>…{% endmenu %}`."""
    return _wrapped("menu", content, id=id, label=label, **options)


@register.simple_block_tag(end_name="enddialog", takes_context=True)
def dialog(context: template.Context, content: str, id: str, title: str, **options: Any) -> SafeString:
    """`{% dialog "delete" "Delete llama?" action=url submit="Delete deployment" %}…{% enddialog %}`.

    The dialog is a POST form with the token of the page.
    """
    return _wrapped(
        "dialog", content, id=id, title=title, csrf_token=context.get("csrf_token", ""), **options
    )


@register.simple_block_tag(end_name="endempty_state")
def empty_state(content: str, title: str, text: str = "", **options: Any) -> SafeString:
    """`{% empty_state "No models yet" "Why it matters." %}a button{% endempty_state %}`."""
    return _wrapped("empty_state", content, title=title, text=text, **options)


@register.inclusion_tag("components/crumbs.html")
def crumbs(*parts: str) -> dict[str, Any]:
    """`{% crumbs "Deployments" list_url "llama" %}`: pairs of label and address, then this page's name."""
    if len(parts) % 2 == 0:
        raise template.TemplateSyntaxError(
            "crumbs takes pairs of label and address and, last, this page's name"
        )
    return {"links": list(zip(parts[:-1:2], parts[1::2], strict=True)), "current": parts[-1]}


@register.inclusion_tag("components/nav_link.html", takes_context=True)
def nav_link(
    context: template.Context, url_name: str, label: str, icon: str, count: int | None = None
) -> dict[str, Any]:
    """`{% nav_link "model_list" "Models" "boxes" %}`: a sidebar link, or nothing without such an address.

    The current one is found by the address; a page elsewhere has `nav`, the lower-case label, in its context.
    """
    try:
        url = reverse(url_name)
    except NoReverseMatch:
        return {"url": ""}
    return {
        "url": url,
        "label": label,
        "icon": icon,
        "count": count,
        "current": _current(url, label, context.get("nav"), getattr(context.get("request"), "path", "")),
    }


@register.inclusion_tag("components/sort_head.html", takes_context=True)
def sort_head(context: template.Context, key: str, label: str, css: str = "") -> dict[str, Any]:
    """`{% sort_head "name" "Deployment" %}`: a column head that sorts by `?sort=name`, then by `?sort=-name`.

    Reads the order in force from `sort` in the context, or from the address, and keeps the rest of the query.
    """
    request = context["request"]
    order = context.get("sort") or request.GET.get("sort", "")
    query = request.GET.copy()
    query["sort"] = f"-{key}" if order == key else key
    query.pop("page", None)
    return {
        "label": label,
        "css": css,
        "query": query.urlencode(),
        "direction": {key: "ascending", f"-{key}": "descending"}.get(order, ""),
    }


@register.inclusion_tag("components/berths.html")
def berths(nodes: Iterable[Any], **options: Any) -> dict[str, Any]:
    """`{% berths nodes %}`: one square per GPU; each node has name, used, free and, while planning, mine."""
    return {"nodes": [_berth_row(node) for node in nodes], **options}


@register.filter
def diff_lines(text: str) -> Iterator[tuple[str, str]]:
    """Split a unified diff into (del, ins, note or same; line with its sign), without the file heads."""
    lines = text.splitlines()
    has_heads = len(lines) > 1 and lines[0].startswith("--- ") and lines[1].startswith("+++ ")
    for line in lines[2:] if has_heads else lines:
        yield {"-": "del", "+": "ins", "@": "note"}.get(line[:1], "same"), line


@lru_cache(maxsize=512)
def _svg(name: str, css: str) -> SafeString:
    # Parsing an icon costs a hundred times what the page around it does, and a list repeats the same few.
    return SafeString(lucide(name, size=16, **{"class": css, "aria_hidden": "true"}))


def _wrapped(component: str, content: str, **values: Any) -> SafeString:
    return render_to_string(f"components/{component}.html", {"content": content, **values})


def _word(tone: Any) -> str:
    return str(getattr(tone, "value", tone))


def _current(url: str, label: str, nav: str | None, path: str) -> str:
    if nav:
        return "true" if nav == label.lower() else ""
    if path == url:
        return "page"
    return "true" if url != "/" and path.startswith(url) else ""


def _berth_row(node: Any) -> dict[str, Any]:
    used, mine, free = (int(_part(node, key) or 0) for key in ("used", "mine", "free"))
    kinds = ["used"] * used + ["mine"] * mine + ["free"] * free
    spoken = f"{used} used, {mine} for this deployment, {free} free" if mine else f"{used} used, {free} free"
    return {
        "name": _part(node, "name"),
        "spoken": spoken,
        "height": BERTH_PITCH * max(1, -(-len(kinds) // BERTHS_PER_ROW)) - 3,
        "squares": [
            {
                "kind": kind,
                "x": format_html("{}.5", place % BERTHS_PER_ROW * BERTH_PITCH),
                "y": format_html("{}.5", place // BERTHS_PER_ROW * BERTH_PITCH),
            }
            for place, kind in enumerate(kinds)
        ],
    }


def _part(node: Any, key: str) -> Any:
    return node.get(key) if isinstance(node, dict) else getattr(node, key, None)

"""What a browser would send with a form of a page as it stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass
class PageForm:
    """One form: where it goes, and its values, each name with all that it has."""

    action: str
    method: str
    values: dict[str, list[str]] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    """Of every control, also of those that send nothing as they stand."""


def forms_of(html: str) -> list[PageForm]:
    parser = _Reader()
    parser.feed(html)
    return parser.forms


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[PageForm] = []
        self._form: PageForm | None = None
        self._text: str | None = None
        self._select: tuple[str, list[tuple[str, bool]], bool] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = PageForm(given.get("action", ""), given.get("method", "get").lower())
            self.forms.append(self._form)
        if self._form is None:
            return
        name = given.get("name", "")
        if tag == "input" and name:
            kind = given.get("type", "text")
            is_sent = (
                "checked" in given if kind in ("checkbox", "radio") else kind not in ("submit", "button")
            )
            self._add(name, given.get("value", "on" if kind == "checkbox" else "") if is_sent else None)
        elif tag == "textarea" and name:
            self._add(name, None)
            self._text = name
        elif tag == "select" and name:
            self._add(name, None)
            self._select = (name, [], "multiple" in given)
        elif tag == "option" and self._select is not None:
            self._select[1].append((given.get("value", ""), "selected" in given))

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self._add(self._text, data.removeprefix("\n"))
            self._text = None

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "textarea":
            if self._text is not None:
                self._add(self._text, "")
            self._text = None
        elif tag == "select" and self._select is not None:
            name, options, is_multiple = self._select
            chosen = [value for value, is_selected in options if is_selected]
            if not chosen and not is_multiple:
                chosen = [value for value, _ in options[:1]]
            for value in chosen:
                self._add(name, value)
            self._select = None

    def _add(self, name: str, value: str | None) -> None:
        if self._form is None:
            return
        self._form.names.add(name)
        if value is not None:
            self._form.values.setdefault(name, []).append(value)

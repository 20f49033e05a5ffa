"""Form widgets that know more than Django's: radios shown as cards with the facts of each choice."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms


class ChoiceCards(forms.RadioSelect):
    """Radios that `components/field.html` shows as cards.

    `facts` maps a choice's value to short lines below its name ("5 of 16 free"); `tags` to one word beside it
    ("Suggested"); `refused` to the reason why it cannot be chosen, which is shown and disables the radio. The
    server still has to refuse such a value: a disabled radio only explains.
    """

    def __init__(
        self,
        *args: Any,
        facts: Mapping[str, Sequence[str]] | None = None,
        tags: Mapping[str, str] | None = None,
        refused: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.facts = dict(facts or {})
        self.tags = dict(tags or {})
        self.refused = dict(refused or {})

    def create_option(self, name: str, value: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        option: dict[str, Any] = super().create_option(name, value, *args, **kwargs)
        key = str(value)
        option["facts"] = list(self.facts.get(key, ()))
        option["mark"] = self.tags.get(key, "")
        option["reason"] = self.refused.get(key, "")
        if option["reason"]:
            option["attrs"]["disabled"] = True
        return option

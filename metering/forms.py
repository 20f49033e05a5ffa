"""Forms of API keys."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django import forms
from django.utils import timezone

from console.models import Membership
from console.presentation.widgets import ChoiceCards
from deployments.models import Deployment
from deployments.tenancy import open_to

_LIVES = (("90", "90 days"), ("30", "30 days"), ("365", "1 year"), ("", "Never"))
_OVERLAPS = (
    ("86400", "1 day"),
    ("0", "None: the old key stops at once"),
    ("3600", "1 hour"),
    ("604800", "7 days"),
)
MOST_PEOPLE = 900


class KeyForm(forms.Form):
    """A new key for one of the given memberships."""

    use_required_attribute = False
    membership = forms.ModelChoiceField(
        queryset=Membership.objects.none(), label="For", empty_label="Choose a person", to_field_name="pk"
    )
    name = forms.CharField(max_length=100, help_text="What it is for, such as “Search service, production”.")
    description = forms.CharField(max_length=500, required=False, widget=forms.Textarea(attrs={"rows": 2}))
    expires = forms.ChoiceField(choices=_LIVES, required=False, label="Expires after")
    reach = forms.ChoiceField(
        choices=[("all", "All shared models"), ("chosen", "Chosen models")],
        initial="all",
        label="Models",
        widget=ChoiceCards(
            facts={
                "all": ["Everything shared with the organisation, now and later"],
                "chosen": ["Only those ticked below"],
            }
        ),
    )
    deployments = forms.ModelMultipleChoiceField(
        queryset=Deployment.objects.none(),
        to_field_name="name",
        required=False,
        label="Chosen models",
        widget=forms.CheckboxSelectMultiple,
    )
    nonce = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, memberships: Iterable[Membership], data: Any = None) -> None:
        super().__init__(data, initial={"nonce": uuid.uuid4(), "expires": "90"})
        self.memberships = list(memberships)
        offered = Membership.objects.filter(pk__in=[each.pk for each in self.memberships])
        self.fields["membership"].queryset = offered.select_related("user", "organization")  # type: ignore[attr-defined]
        self.fields["membership"].label_from_instance = _who  # type: ignore[attr-defined]
        if len(self.memberships) == 1:
            self.fields["membership"].widget = forms.HiddenInput()
            self.initial["membership"] = self.memberships[0].pk
        offered_models = open_to(*{each.organization for each in self.memberships})
        self.fields["deployments"].queryset = offered_models  # type: ignore[attr-defined]
        self.has_models = offered_models.exists()

    @property
    def has_choice_of_person(self) -> bool:
        return len(self.memberships) != 1

    def wish(self) -> dict[str, Any]:
        """What `issuing.issue` takes, of a valid form."""
        said = self.cleaned_data
        days = said["expires"]
        return {
            "user": said["membership"].user,
            "organization": said["membership"].organization,
            "name": said["name"],
            "description": said["description"],
            "expires_at": timezone.now() + timedelta(days=int(days)) if days else None,
            "deployments": list(said["deployments"]) if said["reach"] == "chosen" else None,
            "nonce": said["nonce"],
        }


class RotateForm(forms.Form):
    """For how long the old key goes on to work."""

    overlap = forms.ChoiceField(
        choices=_OVERLAPS,
        label="The old key works for",
        help_text="Long enough to bring the new key to every program that uses it.",
    )

    def seconds(self) -> timedelta:
        return timedelta(seconds=int(self.cleaned_data["overlap"]))


def _who(membership: Membership) -> str:
    return f"{membership.user} – {membership.organization}"

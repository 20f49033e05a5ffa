"""Forms of API keys."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from django import forms
from django.utils import timezone

from console.models import Membership
from console.presentation.widgets import ChoiceCards
from deployments.models import Deployment
from deployments.tenancy import open_to
from metering import issuing

_LIVES = (("90", "90 days"), ("30", "30 days"), ("365", "1 year"), ("", "Never"))
_OVERLAPS = (
    ("86400", "1 day"),
    ("0", "None: the old key stops at once"),
    ("3600", "1 hour"),
    ("604800", "7 days"),
)


class KeyForm(forms.Form):
    """A new key of one membership: for this person, in this organisation."""

    use_required_attribute = False
    name = forms.CharField(
        max_length=issuing.LONGEST_NAME, help_text="What it is for, such as “Search service, production”."
    )
    description = forms.CharField(
        max_length=issuing.LONGEST_DESCRIPTION, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )
    expires = forms.ChoiceField(choices=_LIVES, required=False, label="Expires after")
    reach = forms.ChoiceField(
        choices=[("all", "All shared models"), ("chosen", "Chosen models")],
        initial="all",
        label="For which models",
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

    def __init__(self, membership: Membership, data: Any = None) -> None:
        super().__init__(data, initial={"nonce": uuid.uuid4(), "expires": "90"})
        self.membership = membership
        self.fields["deployments"].queryset = open_to(membership.organization)  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if cleaned.get("reach") == "all" and cleaned.get("deployments"):
            # A key that can do more than its maker meant is worse than one more click.
            self.add_error(
                "deployments",
                "Models are ticked, but the key is for all. Choose “Chosen models”, or untick them.",
            )
        return cleaned

    def wish(self) -> dict[str, Any]:
        """What `issuing.issue` takes, of a valid form."""
        said = self.cleaned_data
        days = said["expires"]
        return {
            "user": self.membership.user,
            "organization": self.membership.organization,
            "name": said["name"],
            "description": said["description"],
            "expires_at": timezone.now() + timedelta(days=int(days)) if days else None,
            "deployments": list(said["deployments"]) if said["reach"] == "chosen" else None,
            "nonce": said["nonce"],
        }


class RotateForm(forms.Form):
    """For how long the old key goes on to work."""

    use_required_attribute = False
    overlap = forms.ChoiceField(
        choices=_OVERLAPS,
        label="The old key works for",
        help_text="Long enough to bring the new key to every program that uses it.",
    )

    def length(self) -> timedelta:
        return timedelta(seconds=int(self.cleaned_data["overlap"]))

"""The form of a subscription, by e-mail or by webhook."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models import QuerySet

from console.notices.addresses import LONGEST_URL, AddressRefused, judge
from console.notices.kinds import Channel, Kind
from console.notices.posting import allowed_networks
from console.notices.rows import Subscription
from console.presentation.widgets import ChoiceCards
from deployments.models import Deployment

MOST_ADDRESSES = 20
MOST_DEPLOYMENTS = 1000


class SubscriptionForm(forms.Form):
    """What somebody wants to be told; `addresses` or `url`, by channel."""

    use_required_attribute = False
    name = forms.CharField(max_length=100, help_text="Such as “On-call”. It stands in each message.")
    addresses = forms.CharField(
        label="To",
        max_length=6000,
        widget=forms.Textarea(attrs={"rows": 3, "autocomplete": "off"}),
        help_text=f"E-mail addresses, one a line, at most {MOST_ADDRESSES}.",
    )
    url = forms.CharField(
        label="Address",
        max_length=LONGEST_URL,
        widget=forms.URLInput(attrs={"autocomplete": "off", "placeholder": "https://"}),
        help_text="Where messages are posted to.",
    )
    kinds = forms.MultipleChoiceField(
        label="Told of",
        choices=[(kind.value, f"{kind.label}: {kind.meaning}") for kind in Kind.offered()],
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Tick at least one."},
    )
    reach = forms.ChoiceField(
        label="Of which deployments",
        choices=[("all", "All deployments"), ("chosen", "Chosen deployments")],
        widget=ChoiceCards(
            facts={"all": ["Those there are, and those to come"], "chosen": ["Only those ticked below"]}
        ),
    )
    deployments = forms.MultipleChoiceField(
        label="Chosen deployments", required=False, widget=forms.CheckboxSelectMultiple
    )
    is_on = forms.BooleanField(
        label="On",
        required=False,
        help_text="While it is off nothing is sent, and nothing is kept for later.",
    )

    def __init__(
        self,
        subscription: Subscription,
        visible: QuerySet[Deployment],
        data: Any = None,
    ) -> None:
        """`visible`: deployments that may be chosen."""
        super().__init__(data, initial=_initial(subscription))
        self.subscription = subscription
        names = visible.order_by("name").values_list("pk", "name")[:MOST_DEPLOYMENTS]
        choices = [(str(pk), name) for pk, name in names]
        self.fields["deployments"].choices = choices  # type: ignore[attr-defined]
        del self.fields["addresses" if subscription.channel == Channel.WEBHOOK else "url"]

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if Subscription.objects.filter(name=name).exclude(pk=self.subscription.pk).exists():
            raise ValidationError(f"There is a subscription “{name}” already. Choose another name.")
        return name

    def clean_addresses(self) -> list[str]:
        found = list(dict.fromkeys(self.cleaned_data["addresses"].replace(",", "\n").split()))
        if len(found) > MOST_ADDRESSES:
            raise ValidationError(f"These are {len(found)} addresses. Enter at most {MOST_ADDRESSES}.")
        for address in found:
            try:
                validate_email(address)
            except ValidationError:
                raise ValidationError(f"{address[:80]} is no e-mail address.") from None
        return found

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"]
        try:
            judge(url, allowed_networks())
        except AddressRefused as refused:
            raise ValidationError(str(refused)) from None
        return url

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        chosen = cleaned.get("deployments")
        if cleaned.get("reach") == "chosen" and not chosen and "deployments" not in self.errors:
            self.add_error("deployments", "Tick at least one, or choose “All deployments”.")
        if cleaned.get("reach") == "all" and chosen:
            self.add_error(
                "deployments",
                "Some are ticked, but it is for all. Choose “Chosen deployments”, or untick them.",
            )
        return cleaned

    def wanted(self) -> dict[str, Any]:
        """What `subscribing.save` takes, of a valid form."""
        said = self.cleaned_data
        return {
            "name": said["name"],
            "is_on": said["is_on"],
            "kinds": said["kinds"],
            "deployments": [int(pk) for pk in said["deployments"]],
            "addresses": said.get("addresses", []),
            "url": said.get("url", ""),
        }


def _initial(subscription: Subscription) -> dict[str, Any]:
    is_new = subscription.pk is None
    return {
        "name": subscription.name,
        "addresses": "\n".join(subscription.addresses),
        "url": subscription.url,
        "kinds": [kind.value for kind in Kind.offered()] if is_new else subscription.kinds,
        "reach": "chosen" if subscription.deployments else "all",
        "deployments": [str(pk) for pk in subscription.deployments],
        "is_on": subscription.is_on,
    }


def names_of(subscription: Subscription) -> list[str]:
    """The chosen deployments that are still there."""
    chosen = Deployment.objects.filter(pk__in=subscription.deployments)
    return list(chosen.order_by("name").values_list("name", flat=True)[:MOST_DEPLOYMENTS])

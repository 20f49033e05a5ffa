"""What is asked about organisations, their members, and people who are invited."""

from __future__ import annotations

from django import forms
from django.core.validators import RegexValidator

from console.models import Membership, Organization
from console.organizations.changing import LONGEST_REASON

_SLUG = RegexValidator(
    r"\A[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z",
    "A short name has small letters, digits and hyphens between them, at most 63.",
)


class NameForm(forms.Form):
    use_required_attribute = False
    name = forms.CharField(label="Name", max_length=150)


class NewForm(NameForm):
    slug = forms.CharField(
        label="Short name",
        max_length=63,
        validators=[_SLUG],
        help_text="Small letters, digits and hyphens. Documents, addresses and invoices say it, so it stays for good.",
    )
    field_order = ["name", "slug"]

    def clean_slug(self) -> str:
        slug: str = self.cleaned_data["slug"]
        if Organization.objects.filter(slug=slug).exists():
            raise forms.ValidationError(
                f"There is an organisation {slug} already. Choose another short name."
            )
        return slug


class SuspendForm(forms.Form):
    use_required_attribute = False
    reason = forms.CharField(
        label="Reason",
        max_length=LONGEST_REASON,
        help_text="Its members read it in the portal.",
        widget=forms.Textarea(attrs={"rows": 2}),
    )


class InviteForm(forms.Form):
    use_required_attribute = False
    email = forms.EmailField(label="E-mail address", max_length=254)
    role = forms.ChoiceField(
        label="Role",
        choices=Membership.Role.choices,
        initial=Membership.Role.MEMBER.value,
        help_text="Owners manage members, and see all keys, usage and the bill. Members see their own.",
    )


class RoleForm(forms.Form):
    role = forms.ChoiceField(choices=Membership.Role.choices)

"""What is asked when somebody is invited, joins, or gets another role."""

from typing import Any

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from console.access import Role
from console.models import User
from console.passwords import MOST

MEANINGS = {
    Role.ADMINISTRATOR: "Everything, people and clusters included",
    Role.OPERATOR: "The catalogue and deployments, and usage of everyone",
    Role.BILLING: "Prices, limits and usage of everyone",
    Role.VIEWER: "Sees the console and changes nothing",
}
_ROLES = [(role.value, f"{role.value.capitalize()}: {meaning.lower()}") for role, meaning in MEANINGS.items()]


class InvitationForm(forms.Form):
    email = forms.EmailField(label="E-mail address", max_length=254)
    name = forms.CharField(label="Name", max_length=150)
    role = forms.ChoiceField(label="Role", choices=_ROLES, initial=Role.VIEWER.value)

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"].lower()
        if User.objects.filter(email=email).exists():
            raise ValidationError(f"{email} has an account already. Give that person a role in the list.")
        return email


class RoleForm(forms.Form):
    role = forms.ChoiceField(label="Role", choices=[("", "None"), *_ROLES], required=False)

    @property
    def chosen(self) -> Role | None:
        word = self.cleaned_data["role"]
        return Role(word) if word else None


class JoinForm(forms.Form):
    name = forms.CharField(
        label="Your name", max_length=150, widget=forms.TextInput(attrs={"autocomplete": "name"})
    )
    password = forms.CharField(
        label="Password",
        max_length=MOST,
        strip=False,
        help_text="At least 12 characters. A few words in a row are easy to remember and hard to guess.",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("initial", {"name": user.name})
        super().__init__(*args, **kwargs)
        self.user = user

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        validate_password(password, self.user)
        return password

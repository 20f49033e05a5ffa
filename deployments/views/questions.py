"""What every action asks before it is done: a page of its own, which is also the content of a dialog."""

from __future__ import annotations

from dataclasses import dataclass

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect

from console.http import Request, page
from deployments.models import Deployment
from deployments.vocabulary import DesiredState


@dataclass(frozen=True, slots=True)
class Warned:
    """Something that speaks against it, with another way."""

    title: str
    sentence: str
    url: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked before an action is taken."""

    title: str
    impact: tuple[str, ...]
    submit: str
    keep: str
    danger: bool = False
    facts: tuple[tuple[str, str], ...] = ()
    listed: tuple[str, str] | None = None
    """A heading, and lines below it."""
    command: str = ""
    """For a terminal."""
    warned: Warned | None = None


class Confirmation(forms.Form):
    """Takes the deployment's name as a yes."""

    use_required_attribute = False
    name = forms.CharField(
        required=False,
        max_length=200,
        widget=forms.TextInput(
            attrs={"class": "mono", "autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}
        ),
    )

    def __init__(self, request: Request, expected: str) -> None:
        super().__init__(request.POST if request.method == "POST" else None, auto_id="confirm_%s")
        self.expected = expected
        self.fields["name"].label = f"Type {expected} to confirm"
        # Said in our own words, and never "(optional)".
        self.fields["name"].required = True
        self.fields["name"].error_messages["required"] = f"Nothing was typed. Type {expected}."

    def clean_name(self) -> str:
        typed = str(self.cleaned_data["name"])
        if typed != self.expected:
            raise forms.ValidationError(f"“{typed}” is not {self.expected}. Type {self.expected}.")
        return typed


def ask(
    request: Request, deployment: Deployment, question: Question, form: forms.Form | None = None
) -> HttpResponse:
    """The question; with the sentence beside the field when it was answered wrongly."""
    context = {"deployment": deployment, "question": question, "form": form, "address": request.path}
    status = 422 if form is not None and form.errors else 200
    return page(request, "deployments/confirm.html", context, fragment="question", status=status)


def leaving(request: Request, deployment: Deployment) -> HttpResponse | None:
    """The way back for a deployment that is being deleted, and takes no other wish."""
    if deployment.desired_state != DesiredState.DELETED:
        return None
    messages.info(request, f"{deployment.name} is being deleted already.")
    return redirect("deployment_list")

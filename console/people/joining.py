"""Where the link of an invitation leads: a name, a password, and then the sign-in."""

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from console.audit import record
from console.models import User
from console.people import invitations
from console.people.forms import JoinForm


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def join(request: HttpRequest, who: str, proof: str) -> HttpResponse:
    """Sets the first password of somebody who was invited. Signing in is the next step, with all its checks."""
    person = invitations.find(who, proof)
    if person is None:
        return render(request, "people/join.html", {"form": None}, status=410)
    form = JoinForm(person, request.POST or None)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            # Of two that arrive in the same moment, the second finds the link used.
            User.objects.select_for_update().get(pk=person.pk)
            person = invitations.find(who, proof)
            if person is not None:
                person.name = form.cleaned_data["name"]
                person.set_password(form.cleaned_data["password"])
                person.save(update_fields=["name", "password"])
                record("person.joined", person)
        if person is None:
            return render(request, "people/join.html", {"form": None}, status=410)
        messages.success(request, "Your password is set. Sign in with it.")
        return redirect("account_login")
    context = {"form": form, "person": person}
    return render(request, "people/join.html", context, status=422 if form.errors else 200)

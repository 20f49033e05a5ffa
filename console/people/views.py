"""People: listed, looked at, invited, and changed by administrators."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from console.access import Permission, Role, requires
from console.browsers import browser_of
from console.http import Request, page
from console.models import User
from console.pages import paginate
from console.people import invitations, listing, roles
from console.people.forms import InvitationForm, RoleForm
from console.people.listing import GROUPS, Filters
from console.reauthentication import confirmed, confirmed_post
from console.sessions import open_of

_MOST_SESSIONS = 20
_ONLY_ONE = (
    "Nobody else administers the platform, so {} stays an administrator. Make somebody else one first."
)
_NOT_YOURSELF = "Nobody changes their own role or switches themselves off. Ask another administrator."


def _address(number: int) -> str:
    return reverse("person_detail", args=[number])


@require_safe
@requires(Permission.ORGANIZATIONS)
def listed(request: Request) -> HttpResponse:
    filters = Filters.read(request.GET)
    people = listing.matching(listing.described(listing.visible_to(request.user)), filters)
    shown = paginate(request, people)
    for person in shown:
        person.role = listing.role_label(person)
        person.tone, person.state = listing.state_of(person)
    context = {"page": shown, "filters": filters, "groups": GROUPS.items()}
    return page(request, "people/list.html", context, fragment="table")


@require_safe
@requires(Permission.ORGANIZATIONS)
def detail(request: Request, number: int) -> HttpResponse:
    person = get_object_or_404(listing.described(listing.visible_to(request.user)), pk=number)
    tone, state = listing.state_of(person)
    held = roles.held(person)
    sessions = list(open_of(person)[:_MOST_SESSIONS])
    for session in sessions:
        session.browser = browser_of(session.user_agent)
    context = {
        "person": person,
        "tone": tone,
        "state": state,
        "role": listing.role_label(person),
        "memberships": person.memberships.all(),
        "sessions": sessions,
        "form": RoleForm(initial={"role": next((role.value for role in Role if role in held), "")}),
        "is_self": person == request.user,
        "is_invited": invitations.is_open(person),
    }
    return page(request, "people/detail.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.ORGANIZATIONS)
@confirmed
def invite(request: Request) -> HttpResponse:
    form = InvitationForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        facts = form.cleaned_data
        try:
            person = invitations.invite(facts["email"], facts["name"], Role(facts["role"]))
        except invitations.AlreadyKnown:
            form.add_error("email", "Somebody invited this person in the same moment.")
        else:
            _send(request, person)
            return redirect("person_detail", person.pk)
    return page(request, "people/invite.html", {"form": form}, status=422 if form.errors else 200)


@require_POST
@requires(Permission.ORGANIZATIONS)
@confirmed_post(_address)
def invite_again(request: Request, number: int) -> HttpResponse:
    person = _somebody(request, number)
    if invitations.is_open(person):
        invitations.renew(person)
        _send(request, person)
    else:
        messages.error(request, f"{person} came in already.")
    return redirect("person_detail", number)


@require_POST
@requires(Permission.ORGANIZATIONS)
@confirmed_post(_address)
def change_role(request: Request, number: int) -> HttpResponse:
    person = _somebody(request, number)
    form = RoleForm(request.POST)
    if person == request.user or person.is_superuser:
        messages.error(
            request, _NOT_YOURSELF if person == request.user else "A superuser has every right already."
        )
    elif not form.is_valid():
        messages.error(request, "There is no such role.")
    else:
        try:
            changed = roles.change(person, form.chosen)
        except roles.LastAdministrator:
            messages.error(request, _ONLY_ONE.format(person))
        else:
            what = form.chosen.value if form.chosen else "no platform role"
            if changed:
                messages.success(request, f"{person} has {what} now and was signed out everywhere.")
    return redirect("person_detail", number)


@require_POST
@requires(Permission.ORGANIZATIONS)
@confirmed_post(_address)
def deactivate(request: Request, number: int) -> HttpResponse:
    person = _somebody(request, number)
    if person == request.user:
        messages.error(request, _NOT_YOURSELF)
        return redirect("person_detail", number)
    try:
        roles.deactivate(person)
    except roles.LastAdministrator:
        messages.error(request, _ONLY_ONE.format(person))
    else:
        messages.success(
            request, f"{person} is switched off: signed out everywhere, and their API keys stop."
        )
    return redirect("person_detail", number)


@require_POST
@requires(Permission.ORGANIZATIONS)
@confirmed_post(_address)
def reactivate(request: Request, number: int) -> HttpResponse:
    person = _somebody(request, number)
    roles.reactivate(person)
    messages.success(request, f"{person} can sign in again, and their API keys work again.")
    return redirect("person_detail", number)


@require_POST
@requires(Permission.ORGANIZATIONS)
@confirmed_post(_address)
def sign_out(request: Request, number: int) -> HttpResponse:
    person = _somebody(request, number)
    roles.sign_out(person, keep=request.session if person == request.user else None)
    messages.success(request, f"{person} is signed out everywhere.")
    return redirect("person_detail", number)


@require_POST
@requires(Permission.ORGANIZATIONS)
@confirmed_post(_address)
def reset_second_factor(request: Request, number: int) -> HttpResponse:
    """For somebody who lost theirs. One's own is changed on the page of one's own account, which knows more ways."""
    person = _somebody(request, number)
    if person == request.user:
        messages.error(request, "Change your own second factor under Security in the menu of your account.")
        return redirect("person_detail", number)
    roles.reset_second_factor(person)
    messages.success(request, f"{person} has no second factor any more and was signed out everywhere.")
    return redirect("person_detail", number)


def _somebody(request: Request, number: int) -> User:
    return get_object_or_404(listing.visible_to(request.user), pk=number)


def _send(request: Request, person: User) -> None:
    link = request.build_absolute_uri(reverse("person_join", args=invitations.token_of(person)))
    try:
        invitations.send(person, link, request.user)
    except OSError:
        messages.error(
            request, f"{person} has an account, but the mail server did not take the message. Send it again."
        )
    else:
        messages.success(request, f"A message with a link is on its way to {person.email}.")

"""Every address x every kind of person x every method, and docs/access.md, which is printed from the same tables."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from console.access import IN_ORGANIZATION, MATRIX, Permission, Role, TenantRight
from console.models import Membership, User
from tests.console.people.rights import EVERYBODY, MEMBER, NO, OPERATIONS, PERSON, RIGHTS, Right
from tests.console.people.test_every_address_is_guarded import KEY, ROWS, world_of_rows
from tests.deployments.pages import world

__all__ = ["world_of_rows"]

pytestmark = pytest.mark.django_db
DOCS = Path(__file__).parents[3] / "docs" / "access.md"
#: What the tables name by a number or a key is somebody else's, or not there: who may come in finds nothing.
NOT_THERE = {
    *("draft_review", "draft_delete", "draft_step"),
    *("session_end", "mfa_deactivate_totp", "mfa_remove_webauthn"),
    *("single_sign_on", "single_sign_on_confirm", "single_sign_on_callback"),
    *("person_detail", "person_role", "person_invite_again", "person_deactivate", "person_reactivate"),
    *("api_root", "api_missing", "access_key_revoke"),
    *("person_sign_out", "person_reset_second_factor", "audit_entry", "notification_again"),
    *(
        "portal_playground",
        "portal_model",
        "portal_key_detail",
        "portal_key_rotate",
        "portal_key_revoke",
        "portal_choose",
    ),
}
#: Refused to whom may come in, because of what the request says and not of who asks.
REFUSED = {"account_signup"}
PEOPLE: dict[str, Role | Membership.Role | None] = {
    "stranger": None,
    **{role.value: role for role in Role},
    "owner": Membership.Role.OWNER,
    "member": Membership.Role.MEMBER,
}


def client_of(kind: str) -> Client:
    if kind == "stranger":
        return Client()
    role = PEOPLE[kind]
    if isinstance(role, Role):
        return world.signed_in(world.person(f"{kind}@example.com", role))
    user = world.tenant(f"{kind}@acme.example", "acme")
    Membership.objects.filter(user=user).update(role=role)
    return world.signed_in(user)


def may(kind: str, right: Right) -> bool:
    role = PEOPLE[kind]
    if right == EVERYBODY:
        return True
    if right == PERSON:
        return kind != "stranger"
    if isinstance(role, Role):
        return any(permission in MATRIX[role] for permission in str(right).split(" or "))
    if isinstance(role, Membership.Role):
        return right == MEMBER or right in IN_ORGANIZATION[role]
    return False


def outcome(answer: Any) -> str:
    if answer.status_code == 302 and answer["Location"].partition("?")[0] == "/sign-in/":
        return "sign-in"
    return {401: "sign-in", 403: "refused", 404: "absent", 405: "no such method"}.get(
        answer.status_code, "in"
    )


def allowed_outcomes(kind: str, name: str, right: Right) -> set[str]:
    row = ROWS[name]
    if right == NO:
        # Who has no business here may be told so, or that there is no such method.
        return {"no such method", "absent", "refused", "sign-in"}
    if may(kind, right):
        found = {"in"}
        if name in NOT_THERE:
            found |= {"absent", "no such method"}
        if name in REFUSED:
            found |= {"refused"}
        if row.is_public or name == "account_logout":
            found |= {"sign-in"}  # such as after signing out
        return found
    if kind == "stranger":
        return {"sign-in"}
    if isinstance(PEOPLE[kind], Role) and right in set(Permission) | {
        "manage_prices or manage_organizations"
    }:
        return {"refused"}
    # A page that is none of theirs is not there; of their own portal, what only owners do is refused.
    return {"absent", "refused"} if isinstance(right, TenantRight) and kind == "member" else {"absent"}


def ask(client: Client, method: str, name: str) -> str:
    """What becomes of it; nothing that it changes stays."""
    address = reverse(name, args=ROWS[name].args)
    with transaction.atomic():
        answer = getattr(client, method)(address)
        transaction.set_rollback(True)
    return outcome(answer)


def test_every_address_has_its_rights() -> None:
    assert set(RIGHTS) == set(ROWS)


@pytest.mark.parametrize("kind", PEOPLE)
def test_each_kind_of_person_comes_in_where_the_table_says_and_nowhere_else(kind: str) -> None:
    """E19: reading and writing, at every address."""
    wrong = []
    client = client_of(kind)
    for name, (reads, writes) in RIGHTS.items():
        if name in {"account_logout", "session_end_others"}:
            continue  # they end the session with which this test asks; test_sessions_end has them
        for method, right in (("get", reads), ("head", reads), ("post", writes)):
            found = ask(client, method, name)
            if found not in allowed_outcomes(kind, name, right):
                wrong.append((method, name, found, sorted(allowed_outcomes(kind, name, right))))
    assert wrong == []


@pytest.mark.parametrize("kind", ["administrator", "owner", "stranger"])
@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_other_methods_do_nothing_anywhere(kind: str, method: str) -> None:
    client = client_of(kind)
    people = User.objects.count()
    came_in = [name for name in RIGHTS if ask(client, method, name) == "in" and not ROWS[name].is_public]
    # These take any method for a look at what they show.
    assert set(came_in) <= LENIENT
    assert User.objects.count() == people


#: Pages of allauth take a PUT for a POST, with the same checks, and read no form from it.
LENIENT = {"account_change_password", "mfa_activate_totp", "mfa_add_webauthn"}


def test_another_organisation_is_as_absent_as_one_that_never_was() -> None:
    """E19: equal answers for "not yours" and "not there"."""
    client = client_of("owner")
    pairs = [("portal_key_detail", KEY, 10**9), ("portal_model", "chat", "no-such-model")]
    for name, theirs, never in pairs:
        answers = [client.get(reverse(name, args=[each])) for each in (theirs, never)]
        assert {answer.status_code for answer in answers} == {404}
        bodies = {answer.content for answer in answers}
        assert len(bodies) == 1


def test_the_document_says_what_holds() -> None:
    """SLIPWAY_WRITE_DOCS=1 writes it."""
    if os.environ.get("SLIPWAY_WRITE_DOCS"):
        DOCS.write_text(document())
    assert DOCS.read_text() == document()


def document() -> str:
    return "\n".join([*_head(), *_platform(), *_tenants(), *_addresses(), *_operations(), ""])


def _head() -> Iterator[str]:
    yield "# Who may do what"
    yield ""
    yield (
        "Printed by a test from `console/access.py` and from the table of addresses that the tests hold "
        "(`tests/console/people/rights.py`); an address without a row fails. Who has no right to see the console "
        "finds no page there (404), somebody who lacks one right is refused (403), and what belongs to another "
        "organisation is as absent as what never was."
    )


def _platform() -> Iterator[str]:
    words = dict(User._meta.permissions)
    yield from ("", "## Roles of the platform", "")
    yield f"| right | {' | '.join(Role)} |"
    yield f"| --- |{' --- |' * len(Role)}"
    for permission in Permission:
        marks = " | ".join("yes" if permission in MATRIX[role] else "" for role in Role)
        yield f"| {words[permission.value]} (`{permission.value}`) | {marks} |"


def _tenants() -> Iterator[str]:
    roles = list(Membership.Role)
    yield from ("", "## Roles in an organisation", "")
    yield f"| right | {' | '.join(role.value for role in roles)} |"
    yield f"| --- |{' --- |' * len(roles)}"
    yield f"| use what is shared, with API keys, playground and usage of one's own |{' yes |' * len(roles)}"
    for right in TenantRight:
        marks = " | ".join("yes" if right in IN_ORGANIZATION[role] else "" for role in roles)
        yield f"| {right.value} | {marks} |"


def _addresses() -> Iterator[str]:
    yield from ("", "## Addresses", "", "| address | reading | writing |", "| --- | --- | --- |")
    for address, name in sorted(_patterns()):
        reads, writes = (_word(right) for right in RIGHTS[name])
        yield f"| `{address}` | {reads} | {writes} |"


def _operations() -> Iterator[str]:
    yield from ("", "## Operations of the API", "")
    yield (
        "Below `/api/v1`. An access key needs the right itself, and its owner must hold it at that time. Every other "
        "operation reads, and needs only `view_platform`."
    )
    yield from ("", "| operation | right |", "| --- | --- |")
    for operation, right in OPERATIONS.items():
        yield f"| `{operation}` | {right.value} |"


def _word(right: Right) -> str:
    return right.value if isinstance(right, Permission | TenantRight) else str(right)


def _patterns(resolver: Any = None, prefix: str = "/") -> Iterator[tuple[str, str]]:
    for entry in (resolver or get_resolver()).url_patterns:
        if isinstance(entry, URLResolver):
            if entry.namespace not in {"admin", "api"}:
                yield from _patterns(entry, prefix + str(entry.pattern))
        elif isinstance(entry, URLPattern):
            yield (prefix + str(entry.pattern)).replace("|", "\\|"), str(entry.name)

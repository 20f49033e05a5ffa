"""Who holds which permission: the whole table, as people were promised it."""

import pytest
from django.contrib.auth.models import AnonymousUser, Group
from django.db import connection
from django.test.utils import CaptureQueriesContext

from console.access import Permission, Role, can, role_of, sees_platform, sync_roles
from console.models import User
from tests.deployments.pages import world

pytestmark = pytest.mark.django_db

#                 view cat. clusters deploy share prices organisations usage audit
TABLE = {
    Role.ADMINISTRATOR: "x x x x x x x x x",
    Role.OPERATOR: "x x - x - - - x x",
    Role.BILLING: "x - - - - x - x -",
    Role.VIEWER: "x - - - - - - - -",
    None: "- - - - - - - - -",
}
CELLS = [
    pytest.param(role, permission, mark == "x", id=f"{role or 'tenant'}-{permission}")
    for role, marks in TABLE.items()
    for permission, mark in zip(Permission, marks.split(), strict=True)
]


@pytest.mark.parametrize(("role", "permission", "allowed"), CELLS)
def test_a_role_holds_exactly_its_permissions(
    role: Role | None, permission: Permission, allowed: bool
) -> None:
    assert can(world.person(role=role), permission) is allowed


def test_the_table_names_every_role() -> None:
    assert {role for role in TABLE if role} == set(Role)


def test_nobody_who_is_not_signed_in_holds_anything() -> None:
    assert not any(can(AnonymousUser(), permission) for permission in Permission)


@pytest.mark.parametrize("role", [Role.ADMINISTRATOR, None])
def test_who_was_deactivated_holds_nothing(role: Role | None) -> None:
    user = world.person(role=role)
    user.is_superuser = role is None
    user.is_active = False
    user.save()
    assert not any(can(User.objects.get(), permission) for permission in Permission)


def test_a_superuser_holds_everything() -> None:
    root = User.objects.create_superuser("root@example.com", "a long enough password")
    assert all(can(root, permission) for permission in Permission)
    assert role_of(root) == "Superuser"


def test_being_in_an_organisation_opens_nothing_of_the_platform() -> None:
    assert not sees_platform(world.tenant("bea@acme.example", "acme"))


@pytest.mark.parametrize("role", Role)
def test_a_role_is_shown_by_its_name(role: Role) -> None:
    assert role_of(world.person(role=role)) == role.value.capitalize()


def test_of_several_roles_the_widest_is_shown_and_all_count() -> None:
    user = world.person(role=Role.VIEWER)
    user.groups.add(Group.objects.get(name=Role.BILLING))
    assert role_of(user) == "Billing"
    assert can(user, Permission.PRICES)


def test_permissions_of_one_person_cost_one_query() -> None:
    user = world.person(role=Role.OPERATOR)
    with CaptureQueriesContext(connection) as captured:
        for permission in Permission:
            can(user, permission)
        role_of(user)
    assert len(captured) == 1


def test_a_migration_gives_the_groups_back_exactly_the_table() -> None:
    viewer = Group.objects.get(name=Role.VIEWER)
    viewer.permissions.set(Group.objects.get(name=Role.ADMINISTRATOR).permissions.all())
    Group.objects.get(name=Role.BILLING).delete()
    sync_roles()
    assert [held.codename for held in viewer.permissions.all()] == [Permission.VIEW]
    assert can(world.person(role=Role.BILLING), Permission.PRICES)

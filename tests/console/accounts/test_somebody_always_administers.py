"""The last administrator is neither lowered nor switched off, also when two do it in the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from django.db import connection

from console.access import Role
from console.models import User
from console.people import roles
from tests.deployments.pages import world


@pytest.mark.django_db
@pytest.mark.parametrize("change", [roles.deactivate, lambda user: roles.change(user, None)])
def test_the_last_one_stays(change: Callable[[User], object]) -> None:
    ada = world.person()
    world.person("olga@example.com", Role.OPERATOR)
    with pytest.raises(roles.LastAdministrator):
        change(ada)
    ada.refresh_from_db()
    assert ada.is_active
    assert roles.held(ada) == {Role.ADMINISTRATOR}


@pytest.mark.django_db
def test_somebody_who_is_switched_off_does_not_count() -> None:
    ada, off = world.person(), world.person("off@example.com")
    roles.deactivate(off)
    with pytest.raises(roles.LastAdministrator):
        roles.change(ada, Role.VIEWER)


@pytest.mark.django_db
def test_a_superuser_counts() -> None:
    ada = world.person()
    User.objects.create_superuser("boss@example.com", "a long enough password")
    assert roles.change(ada, Role.VIEWER)


@pytest.mark.django_db
def test_who_administers_nothing_may_always_be_switched_off() -> None:
    olga = world.person("olga@example.com", Role.OPERATOR)
    roles.deactivate(olga)
    assert not User.objects.get().is_active


@pytest.mark.django_db(transaction=True)
def test_of_two_who_lower_each_other_one_stays() -> None:
    people = [world.person("a@example.com"), world.person("b@example.com")]
    start, refused = threading.Barrier(2), []

    def lower(user: User) -> None:
        try:
            start.wait(10)
            roles.change(user, Role.VIEWER)
        except roles.LastAdministrator:
            refused.append(user)
        finally:
            connection.close()

    threads = [threading.Thread(target=lower, args=[user]) for user in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(refused) == 1
    assert User.objects.filter(groups__name=Role.ADMINISTRATOR).count() == 1

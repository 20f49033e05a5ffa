"""A POST with an Idempotency-Key may be sent again and again: it is done once."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connections

from console.access_key import IdempotentCall
from console.models import Organization
from console.tasks import forget_old_calls
from tests.console.api.conftest import Caller, caller, problem

BODY = {"slug": "acme", "name": "Acme"}


@pytest.mark.django_db
def test_the_second_time_gives_the_first_answer(admin: Caller) -> None:
    first, second = (admin("POST", "/organizations", BODY, idempotency_key="a") for _ in range(2))
    assert (first.status_code, first.json()) == (second.status_code, second.json())
    assert first.status_code == 201
    # Without the key it is a second call.
    problem(admin("POST", "/organizations", BODY), 422)


@pytest.mark.django_db
def test_the_same_key_for_something_else_is_a_mistake(admin: Caller) -> None:
    admin("POST", "/organizations", BODY, idempotency_key="a")
    other = admin("POST", "/organizations", {**BODY, "slug": "globex"}, idempotency_key="a")
    assert problem(other, 422)["type"] == "idempotency-key-reused"
    assert Organization.objects.count() == 1


@pytest.mark.django_db
def test_what_failed_may_be_sent_again(admin: Caller) -> None:
    problem(admin("POST", "/organizations", {**BODY, "slug": "Not A Slug"}, idempotency_key="a"), 422)
    assert not IdempotentCall.objects.exists()
    assert admin("POST", "/organizations", BODY, idempotency_key="a").status_code == 201


@pytest.mark.django_db
def test_keys_of_two_callers_have_nothing_to_do_with_each_other(admin: Caller) -> None:
    other = caller(email="bob@example.com")
    admin("POST", "/organizations", BODY, idempotency_key="a")
    problem(other("POST", "/organizations", BODY, idempotency_key="a"), 422)
    assert IdempotentCall.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["x" * 256, "a\tb"])
def test_a_key_is_short_and_printable(admin: Caller, key: str) -> None:
    problem(admin("POST", "/organizations", BODY, idempotency_key=key), 400)


@pytest.mark.django_db
def test_calls_are_forgotten_after_a_day(admin: Caller) -> None:
    from datetime import timedelta

    admin("POST", "/organizations", BODY, idempotency_key="a")
    forget_old_calls()
    assert IdempotentCall.objects.count() == 1
    IdempotentCall.objects.update(
        created_at=IdempotentCall.objects.get().created_at - timedelta(days=1, seconds=1)
    )
    forget_old_calls()
    assert not IdempotentCall.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_eight_at_once_do_it_once(admin: Caller) -> None:
    answers: list[Any] = []

    def send() -> None:
        try:
            answers.append(admin("POST", "/organizations", BODY, idempotency_key="a"))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=send) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    statuses = sorted(each.status_code for each in answers)
    assert set(statuses) <= {201, 409}
    assert 201 in statuses
    for each in answers:
        if each.status_code == 409:
            assert each.json()["type"] == "in-progress"
    assert Organization.objects.count() == 1

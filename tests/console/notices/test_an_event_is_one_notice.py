"""The same event is one notice, however often and by however many it is announced; it reaches who asked for it."""

from __future__ import annotations

import itertools
import threading
from datetime import timedelta

import pytest
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from console.notices.announcing import announce
from console.notices.kinds import Kind
from console.notices.rows import Delivery, Notice
from tests.console.notices import world

TEN = timedelta(minutes=10)


@pytest.mark.django_db
def test_announced_twice_it_is_one_notice() -> None:
    world.mail()
    assert announce(world.failed("a"), world.failed("b")) == 2
    assert announce(world.failed("a")) == 0
    assert Notice.objects.count() == Delivery.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_announced_by_many_at_once_it_is_one_notice() -> None:
    world.mail()
    gate, written = threading.Barrier(8), list[int]()

    def tell() -> None:
        try:
            gate.wait()
            written.append(announce(world.failed("same"), world.failed("other")))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=tell) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(written) == 2
    assert Delivery.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_what_did_not_happen_is_not_told() -> None:
    world.mail()
    with transaction.atomic():
        announce(world.failed())
        transaction.set_rollback(True)
    assert not Notice.objects.exists()
    assert not Delivery.objects.exists()


@pytest.mark.django_db
def test_only_who_asked_for_it_is_told() -> None:
    wanted = world.mail(name="all")
    chosen = world.webhook(name="chosen", deployments=[7, 8])
    world.mail(name="others", deployments=[70])
    world.mail(name="other kinds", kinds=[Kind.DEPLOYMENT_RECOVERED])
    world.mail(name="off", is_on=False)
    announce(world.failed())
    assert {each.subscription_id for each in Delivery.objects.all()} == {wanted.pk, chosen.pk}


@pytest.mark.django_db
def test_what_is_about_no_deployment_reaches_those_of_chosen_deployments_too() -> None:
    world.mail(deployments=[70])
    announce(world.failed(kind=Kind.BUDGET_80, deployment_id=None))
    assert Delivery.objects.count() == 1


@pytest.mark.django_db
def test_without_a_subscription_nothing_is_sent() -> None:
    announce(world.failed())
    assert (Notice.objects.count(), Delivery.objects.count()) == (1, 0)


@pytest.mark.django_db
def test_many_cost_as_many_statements_as_one() -> None:
    world.mail()

    def statements(*keys: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            announce(*(world.failed(key, quiet=TEN, deployment_id=int(key)) for key in keys))
        return len(captured)

    few = statements("1")
    assert statements(*map(str, range(100, 200))) == few


@pytest.mark.django_db
def test_one_that_flaps_is_told_at_once_then_once_more_with_how_often() -> None:
    world.mail()
    start = timezone.now()
    for minute in range(6):
        announce(world.failed(f"{minute}", at=start + timedelta(minutes=minute), quiet=TEN))
    first, held = Notice.objects.order_by("send_at")
    assert (first.times, first.send_at) == (1, start)
    assert (held.times, held.send_at) == (5, start + TEN)
    assert (held.first_at, held.at) == (start + timedelta(minutes=1), start + timedelta(minutes=5))
    assert [each.due_at for each in Delivery.objects.order_by("due_at")] == [start, start + TEN]


@pytest.mark.django_db
def test_one_that_flaps_for_hours_is_told_every_ten_minutes_at_most() -> None:
    start = timezone.now()
    for number in range(200):
        announce(world.failed(f"{number}", at=start + timedelta(minutes=number * 0.7), quiet=TEN))
    sent = list(Notice.objects.order_by("send_at").values_list("send_at", "times"))
    gaps = [after[0] - before[0] for before, after in itertools.pairwise(sent)]
    assert min(gaps) >= TEN
    assert sum(times for _, times in sent) == 200


@pytest.mark.django_db
def test_another_kind_and_another_deployment_are_not_kept_quiet() -> None:
    now = timezone.now()
    announce(world.failed("a", at=now, quiet=TEN))
    announce(world.failed("b", at=now, quiet=TEN, kind=Kind.DEPLOYMENT_RECOVERED))
    announce(world.failed("c", at=now, quiet=TEN, deployment_id=8))
    assert set(Notice.objects.values_list("send_at", flat=True)) == {now}


@pytest.mark.django_db
def test_a_flap_that_is_announced_twice_counts_once() -> None:
    now = timezone.now()
    announce(world.failed("a", at=now, quiet=TEN))
    for _ in range(3):
        announce(world.failed("b", at=now + timedelta(minutes=1), quiet=TEN))
    assert list(Notice.objects.order_by("send_at").values_list("times", flat=True)) == [1, 1]

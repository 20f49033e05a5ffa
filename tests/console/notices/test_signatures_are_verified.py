"""Signatures: by the code that the documentation shows, which knows nothing of ours, and by a published example."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from console.notices import delivering, signing, subscribing
from console.notices.announcing import announce
from console.notices.rows import Delivery, Subscription
from tests.console.notices import world
from tests.deployments.pages.world import person
from tests.faults.server import faulty_server, says

DOCUMENT = Path(__file__).parents[3] / "docs" / "operations.md"


@pytest.fixture
def verify() -> Callable[[str, dict[str, str], bytes], bool]:
    """`verify(secret, headers, body)` as docs/operations.md has it."""
    (code,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    return names["verify"]  # type: ignore[no-any-return]


def test_the_example_of_the_standard_is_signed_alike() -> None:
    """https://github.com/standard-webhooks/standard-webhooks, the test vector of its libraries."""
    given = signing.signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert given == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_secrets_are_long_and_differ() -> None:
    made = {signing.new_secret() for _ in range(100)}
    assert len(made) == 100
    assert all(re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", secret) for secret in made)


@pytest.mark.django_db
def test_a_message_is_verified_by_the_code_of_the_documentation(
    verify: Callable[..., bool], settings: Settings
) -> None:
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    with faulty_server(says(200)) as server:
        subscription = world.webhook(server.url)
        secret = subscription.secret.reveal()
        announce(world.failed())
        assert delivering.deliver(Delivery.objects.get().pk)
        (request,) = server.requests
    assert verify(secret, request.headers, request.body)
    assert not verify(secret, request.headers, request.body + b" ")
    assert not verify(signing.new_secret(), request.headers, request.body)
    assert not verify(secret, {**request.headers, "webhook-id": "another"}, request.body)
    old = str(int(request.headers["webhook-timestamp"]) - 3600)
    assert not verify(secret, {**request.headers, "webhook-timestamp": old}, request.body)


@pytest.mark.django_db
def test_both_secrets_sign_for_a_day(verify: Callable[..., bool], settings: Settings) -> None:
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    person()
    with faulty_server(says(200)) as server:
        subscription = world.webhook(server.url)
        old = subscription.secret.reveal()
        new = subscribing.rotate(subscription)
        announce(world.failed("a"))
        assert delivering.deliver(Delivery.objects.get().pk)
        Subscription.objects.update(previous_until=timezone.now() - timedelta(seconds=1))
        announce(world.failed("b"))
        assert delivering.deliver(Delivery.objects.get(state="waiting").pk)
        first, second = server.requests
    assert subscription.previous_until is not None
    assert timedelta(hours=23) < subscription.previous_until - timezone.now() <= timedelta(days=1)
    assert verify(old, first.headers, first.body)
    assert verify(new, first.headers, first.body)
    assert verify(new, second.headers, second.body)
    assert not verify(old, second.headers, second.body)

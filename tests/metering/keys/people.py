"""What the tests of keys share: the owner and a member of one organisation, and the form of a new key."""

from __future__ import annotations

import re
import uuid
from typing import Any

from django.test import Client

from console.models import Membership, User
from tests.deployments.pages import world

KEY = re.compile(r"slipway_[0-9A-Za-z]{48}")


def owner() -> User:
    bob = world.tenant("bob@acme.example", "acme")
    bob.memberships.update(role=Membership.Role.OWNER)
    return bob


def wish(user: User, **changes: Any) -> dict[str, Any]:
    """What the form sends for this person's only membership."""
    return {
        "membership": user.memberships.get().pk,
        "name": "CI",
        "expires": "90",
        "reach": "all",
        "nonce": str(uuid.uuid4()),
        **changes,
    }


def make(client: Client, user: User, address: str = "/portal/keys/new/", **changes: Any) -> str:
    """The key as the page shows it."""
    answer = client.post(address, wish(user, **changes))
    assert answer.status_code == 200, answer.content.decode()
    (text,) = set(KEY.findall(answer.content.decode()))
    return str(text)

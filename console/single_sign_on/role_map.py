"""OIDC_ROLE_MAP: what the groups of the provider grant here.

A JSON object from the name of a group to a platform role ("administrator"), to a place in an organisation
("organization:acme:owner"), or to a list of these.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from console.access import Role
from console.models import Membership

_MOST_GROUPS = 2000
_PLACE = re.compile(r"organization:([a-z0-9][a-z0-9_-]{0,62}):(owner|member)")


class InvalidRoleMap(ValueError):
    """The setting cannot be read; the message says what is wrong in one sentence."""


@dataclass(frozen=True, slots=True)
class Grants:
    """What one person's groups grant: platform roles, and places in organisations by their short names."""

    roles: frozenset[Role]
    places: Mapping[str, str]

    def __bool__(self) -> bool:
        return bool(self.roles or self.places)


@dataclass(frozen=True, slots=True)
class RoleMap:
    """The whole setting. Empty means that the provider says who somebody is, and nothing about what they may do."""

    roles: Mapping[str, frozenset[Role]]
    places: Mapping[str, frozenset[tuple[str, str]]]

    def __bool__(self) -> bool:
        return bool(self.roles or self.places)

    @property
    def organizations(self) -> frozenset[str]:
        """Short names of the organisations whose members the provider decides on, as far as it signs them in."""
        return frozenset(slug for places in self.places.values() for slug, _ in places)

    def grants(self, groups: Iterable[str]) -> Grants:
        """An owner stays one, whatever else says that they are a member."""
        roles: set[Role] = set()
        places: dict[str, str] = {}
        for group in groups:
            roles |= self.roles.get(group, frozenset())
            for slug, role in self.places.get(group, frozenset()):
                if places.get(slug) != Membership.Role.OWNER:
                    places[slug] = role
        return Grants(frozenset(roles), places)


def read(text: str) -> RoleMap:
    """The setting's text, read. Raises InvalidRoleMap."""
    if not text.strip():
        return RoleMap({}, {})
    try:
        data = json.loads(text)
    except ValueError as error:
        raise InvalidRoleMap(f"OIDC_ROLE_MAP is not JSON: {error}.") from None
    if not isinstance(data, dict):
        raise InvalidRoleMap("OIDC_ROLE_MAP is not an object from groups to roles.")
    roles: dict[str, frozenset[Role]] = {}
    places: dict[str, frozenset[tuple[str, str]]] = {}
    for group, given in data.items():
        words = given if isinstance(given, list) else [given]
        roles[group] = frozenset(Role(word) for word in words if isinstance(word, str) and word in set(Role))
        found = [_PLACE.fullmatch(word) for word in words if isinstance(word, str)]
        places[group] = frozenset((match[1], match[2]) for match in found if match)
        if len(roles[group]) + len(places[group]) != len(words):
            known = ", ".join(Role)
            raise InvalidRoleMap(
                f"OIDC_ROLE_MAP gives {group!r} something other than {known}, or organization:NAME:owner or member."
            )
    return RoleMap(roles, places)


def groups_of(claims: Mapping[str, object], name: str) -> list[str]:
    """The groups in a claim: a list of words, or one word. Anything else counts as none."""
    claim = claims.get(name)
    if isinstance(claim, str):
        return [claim]
    if isinstance(claim, list):
        return [group for group in claim[:_MOST_GROUPS] if isinstance(group, str)]
    return []

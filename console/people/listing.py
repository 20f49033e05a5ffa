"""The list of people: whom somebody sees, what is said of each, and which are looked for."""

from dataclasses import dataclass

from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.db.models import BooleanField, Case, Exists, OuterRef, Q, QuerySet, Value, When
from django.http import QueryDict

from console.access import Permission, Role, can
from console.models import Membership, User
from console.second_factor.policy import FACTORS

GROUPS = {
    "": "Everybody",
    "platform": "People of the platform",
    "tenants": "People of organisations only",
    "unprotected": "Without a second factor",
    "inactive": "Switched off",
}


@dataclass(frozen=True, slots=True)
class Filters:
    search: str = ""
    group: str = ""

    @classmethod
    def read(cls, query: QueryDict) -> "Filters":
        group = query.get("group", "")
        return cls(query.get("q", "").strip()[:100], group if group in GROUPS else "")

    def __bool__(self) -> bool:
        return bool(self.search or self.group)


def visible_to(user: User) -> QuerySet[User]:
    """Everybody, for those who may change people; nobody otherwise."""
    return User.objects.all() if can(user, Permission.ORGANIZATIONS) else User.objects.none()


def described(people: QuerySet[User]) -> QuerySet[User]:
    """With what the list says of each, at the same number of queries for any number of people."""
    factor = Authenticator.objects.filter(user=OuterRef("pk"), type__in=FACTORS)
    linked = SocialAccount.objects.filter(user=OuterRef("pk"))
    return people.annotate(
        has_factor=Exists(factor),
        has_single_sign_on=Exists(linked),
        is_invited=Case(
            When(
                Q(last_login=None) & Q(password__startswith=UNUSABLE_PASSWORD_PREFIX) & ~Exists(linked),
                then=Value(True),
            ),
            default=Value(False),
            output_field=BooleanField(),
        ),
    ).prefetch_related("groups", "memberships__organization")


def matching(people: QuerySet[User], filters: Filters) -> QuerySet[User]:
    """Of described people, those that are looked for; by name, then by address."""
    if filters.search:
        word = filters.search
        in_organization = Membership.objects.filter(
            Q(organization__name__icontains=word) | Q(organization__slug__icontains=word), user=OuterRef("pk")
        )
        people = people.filter(Q(name__icontains=word) | Q(email__icontains=word) | Exists(in_organization))
    roles = User.groups.through.objects.filter(user=OuterRef("pk"), group__name__in=list(Role))
    if filters.group == "platform":
        people = people.filter(Q(is_superuser=True) | Exists(roles))
    elif filters.group == "tenants":
        people = people.filter(~Exists(roles), is_superuser=False)
    elif filters.group == "unprotected":
        people = people.filter(has_factor=False, is_active=True)  # type: ignore[misc]  # an annotation
    elif filters.group == "inactive":
        people = people.filter(is_active=False)
    return people.order_by("name", "email")


def role_label(user: User) -> str:
    """The widest platform role of a person whose groups were fetched already."""
    if user.is_superuser:
        return "Superuser"
    names = {group.name for group in user.groups.all()}
    return next((role.value.capitalize() for role in Role if role in names), "")


def state_of(user: User) -> tuple[str, str]:
    """Tone and word for a described person."""
    if not user.is_active:
        return "idle", "Switched off"
    if user.is_invited:  # type: ignore[attr-defined]  # an annotation of described()
        return "busy", "Invited"
    return "good", "Active"

"""Usage and bill in the portal: a member's own, an owner's organisation, and nothing else by any parameter."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.utils import timezone

from console.models import Membership
from deployments.vocabulary import Sharing
from metering import issuing
from metering.ledger import intake
from metering.models import ApiKey
from metering.usage import invoice
from tests.deployments.pages import world
from tests.metering.ledger.conftest import Place, entries, own_partitions, place

__all__ = ["own_partitions", "place"]
pytestmark = pytest.mark.django_db
MONTH = invoice.month_of(timezone.now()).word


@pytest.fixture
def used(place: Place) -> Place:
    """Bob of Acme used 1,234 tokens, Bea of Acme 555, Charlie of Globex 98,765; all at one dollar per million."""
    place.price(timezone.now() - timedelta(days=1), "1", "1")
    bea = world.tenant("bea@acme.example", "acme")
    beas, _ = issuing.issue(user=bea, organization=bea.organizations.get(), name="Bea's", by=bea)
    given = ((place.key, 1_234), (beas, 555), (place.other_key, 98_765))
    events = [place.event(key=key, input_tokens=tokens, output_tokens=0) for key, tokens in given]
    assert intake.take(entries(*events), timezone.now()).recorded == 3
    return place


def signed_in(email: str, role: Membership.Role = Membership.Role.MEMBER) -> Client:
    user = world.User.objects.get(email=email)
    user.memberships.update(role=role)
    return world.signed_in(user)


def text(client: Client, query: str = "") -> str:
    answer = client.get(f"/portal/usage/{query}")
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_member_sees_just_their_own(used: Place) -> None:
    page = text(signed_in("bob@acme.example"))
    assert "1,234" in page
    assert "$0.001234" in page
    for foreign in ("555", "1,789", "98,765", "bea@acme.example"):
        assert foreign not in page


def test_an_owner_sees_the_organisation_by_model_key_and_person(used: Place) -> None:
    owner = signed_in("bob@acme.example", Membership.Role.OWNER)
    assert "1,789" in text(owner)
    by_person = text(owner, "?by=user")
    assert "bea@acme.example" in by_person
    assert "555" in by_person
    assert "Bea&#x27;s" in text(owner, "?by=key")
    for query in ("", "?by=user", "?by=key"):
        assert "98,765" not in text(owner, query)
        assert "charlie" not in text(owner, query)


@pytest.mark.parametrize("as_owner", [False, True])
def test_no_parameter_reaches_what_is_of_others(used: Place, as_owner: bool) -> None:
    role = Membership.Role.OWNER if as_owner else Membership.Role.MEMBER
    bob = signed_in("bob@acme.example", role)
    globex, charlie = used.other_key.organization_id, used.other_key.user_id
    queries = [
        *(f"?organization={globex}", f"?user={charlie}", f"?api-key={used.other_key.pk}"),
        *("?organization=globex", "?by=organization", "?by=time", "?model=not-shared", "?by=user&period=30d"),
        *("?period=x", "?by=%00", "?zone=Europe/Oslo"),
    ]
    for query in queries:
        if "%00" in query:
            assert bob.get(f"/portal/usage/{query}").status_code == 400
            continue
        page = text(bob, query)
        assert "98,765" not in page, query
        assert ("bea@acme.example" in page) <= as_owner, query


def test_the_month_so_far_is_the_organisations_for_owners_and_ones_own(used: Place) -> None:
    page = text(signed_in("bob@acme.example", Membership.Role.OWNER))
    assert "$0.001789" in page
    assert "Of that, you" in page
    assert "$0.001234" in page
    assert "$0.001789" not in text(signed_in("bob@acme.example"))


def test_the_playground_is_named_in_usage(used: Place) -> None:
    ApiKey.objects.filter(name="Bea's").update(kind=ApiKey.Kind.PLAYGROUND, name="Playground")
    page = text(signed_in("bob@acme.example", Membership.Role.OWNER), "?by=key")
    assert "Playground, bea@acme.example" in page


def test_the_bill_is_for_owners_and_of_their_organisation(used: Place) -> None:
    address = f"/portal/bill/{MONTH}/"
    owner = signed_in("bob@acme.example", Membership.Role.OWNER)
    page = owner.get(address).content.decode()
    assert "1,789" in page
    assert "98,765" not in page
    assert owner.get("/portal/bill/").headers["Location"] == address
    assert owner.get("/portal/bill/2999-01/").status_code == 404
    assert owner.get(f"/usage/invoices/{MONTH}/globex/").status_code == 404
    for query in ("", "?format=csv", "?format=json"):
        assert signed_in("bea@acme.example").get(address + query).status_code == 404


def test_the_bill_as_a_file_is_the_page(used: Place) -> None:
    owner = signed_in("bob@acme.example", Membership.Role.OWNER)
    answer = owner.get(f"/portal/bill/{MONTH}/?format=csv&organization=globex")
    assert 'filename="invoice-acme-' in answer.headers["Content-Disposition"]
    (row,) = csv.DictReader(io.StringIO(answer.content.decode()))
    assert (row["deployment"], row["input_tokens"]) == ("chat", "1789")
    assert Decimal(row["amount"]) == Decimal("0")


def test_limits_are_shown_of_what_is_shared(used: Place) -> None:
    assert "Nothing is shared" in text(signed_in("bob@acme.example"))
    world.deployment("open", sharing=world.shared(Sharing.ALL))
    page = text(signed_in("bob@acme.example"))
    assert "open" in page
    assert "No limit holds for it." in page

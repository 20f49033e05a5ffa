"""What tests of tests/console/security share."""

from tests.console.api.conftest import admin
from tests.console.people.test_every_address_is_guarded import world_of_rows
from tests.metering.ledger.conftest import own_partitions, place

__all__ = ["admin", "own_partitions", "place", "world_of_rows"]

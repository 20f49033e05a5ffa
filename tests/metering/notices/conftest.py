"""An organisation with a deployment and keys, as the ledger's tests have them."""

from tests.metering.ledger.conftest import own_partitions, place

__all__ = ["own_partitions", "place"]

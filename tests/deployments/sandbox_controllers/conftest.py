"""The cluster that most of these tests start from."""

import pytest

from tests.deployments.sandbox_controllers.cluster import Cluster


@pytest.fixture
def cluster() -> Cluster:
    """Two H100 machines, one with L40S cards, one without GPUs; empty."""
    return Cluster()

"""What is known of a cluster and a deployment when a wish is saved."""

from deployments.facts import ClusterFacts
from deployments.models import Deployment, Endpoint, Observation
from deployments.vocabulary import DesiredState


def facts_of(endpoint: Endpoint) -> ClusterFacts | None:
    """What the last check of its cluster found."""
    return ClusterFacts.from_mapping(endpoint.cluster.facts) if endpoint.cluster.facts else None


def serves(deployment: Deployment) -> bool:
    """Meant to run, and a replica was ready at the last look."""
    ready = Observation.objects.filter(deployment=deployment, ready__gt=0)
    return deployment.desired_state == DesiredState.RUNNING and ready.exists()

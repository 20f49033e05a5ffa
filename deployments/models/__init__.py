"""The tables of the catalogue, clusters and deployments. Tables hold facts and their invariants; they call nobody."""

from deployments.models.catalog import CatalogModel, Provider
from deployments.models.cluster import Cluster
from deployments.models.deployment import Deployment, Revision
from deployments.models.draft import Draft
from deployments.models.endpoint import Endpoint
from deployments.models.observation import Observation, Scaled, Transition
from deployments.models.share import Share
from deployments.models.terms import Price, RateLimit

__all__ = [
    "CatalogModel",
    "Cluster",
    "Deployment",
    "Draft",
    "Endpoint",
    "Observation",
    "Price",
    "Provider",
    "RateLimit",
    "Revision",
    "Scaled",
    "Share",
    "Transition",
]

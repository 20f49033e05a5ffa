"""What is known beside the settings, the model and the cluster's facts. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class EndpointCheck:
    """What the last check of the endpoint said."""

    ready: bool | None
    """None: never checked."""
    reason: str = ""
    """Why it is not ready, with the remedy."""


@dataclass(frozen=True, slots=True)
class Around:
    now: datetime | None = None
    """Aware; tells how old the cluster's facts are."""
    is_edit: bool = False
    """True for a change of a deployment that is there."""
    name_is_free: bool | None = None
    """None: not asked, or an edit."""
    endpoint: EndpointCheck | None = None
    """None: not known which endpoint."""
    is_reachable: bool = True
    """Gateways can have a way to the endpoint."""
    namespace: str = ""
    storage_class: str | None = None
    """None: the cluster's default."""
    pull_secret: str = ""
    """Name of a registry secret in the namespace."""
    has_weights_token: bool = False
    has_ngc_key: bool = False
    """The model or the cluster has one."""
    prometheus_url: str = ""
    running_replicas: int = 0
    """They have their GPUs already: an edit replaces them in place."""

"""What the audit says of clusters, endpoints and models, by column, and of a deployment, by the places of its spec."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from console.audit import record
from console.audit.difference import SET, is_secret_name
from console.encryption import Sealed
from deployments.models import Deployment, Revision

CLUSTER = ("name", "slug", "kind", "reach", "prometheus_url", "kubeconfig", "ngc_key")
ENDPOINT = (
    *("name", "slug", "hostname", "cluster", "namespace", "routing", "gateway_name", "gateway_namespace"),
    *("gateway_section", "ingress_class", "storage_class", "pull_secret"),
    *("tls", "tls_certificate", "tls_key", "tls_secret_name"),
)
PROVIDER = ("name", "slug", "website")
MODEL = (
    *(
        "name",
        "slug",
        "provider",
        "use_case",
        "description",
        "source_kind",
        "source_reference",
        "source_revision",
    ),
    *(
        "weights_token",
        "ngc_key",
        "parameters",
        "bits_per_parameter",
        "layers",
        "attention_heads",
        "kv_heads",
    ),
    *("head_size", "context_length"),
)
_PARTS = {"sharing.": "shared", "pricing.": "priced", "rateLimits.": "limited"}
"""Beginnings of the places that are terms; a revision that changes nothing else has a word of its own."""


def record_revision(deployment: Deployment, revision: Revision, before: Revision | None, note: str) -> None:
    """A new revision, by what it changed: "deployment.created", "revised", "shared", "priced" or "limited"."""
    new, old = _values(revision), _values(before) if before else None
    verb = "created" if old is None else _verb(old, new)
    numbers = {"revision": before.number if before else None}, {"revision": revision.number}
    record(
        f"deployment.{verb}",
        deployment,
        before=None if old is None else {**numbers[0], **old},
        after={**numbers[1], **new, "note": note or None},
    )


def _verb(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    places = [place for place in {**old, **new} if not _equal(old.get(place), new.get(place))]
    for beginning, verb in _PARTS.items():
        if places and all(place.startswith(beginning) for place in places):
            return verb
    return "revised"


def _equal(one: object, other: object) -> bool:
    if isinstance(one, Sealed) and isinstance(other, Sealed):
        return one.reveal() == other.reveal()
    return one == other


def _values(revision: Revision) -> dict[str, Any]:
    """The document's values by dotted path, the weights, and the variables by name; secrets sealed."""
    spec: dict[str, Any] = dict(revision.document["spec"])
    variables = spec.pop("environment", None) or []
    found = dict(_flat("", spec))
    found["description"] = revision.document["metadata"].get("description")
    if arguments := found.get("engine.arguments"):
        found["engine.arguments"] = _masked(arguments)
    source = revision.model_source
    found["weights"] = f"{source.reference} {source.revision}".strip()
    secrets = revision.secret_values()
    for row in variables:
        name, value = row["name"], row.get("value")
        found[f"environment.{name}"] = Sealed.of(secrets.get(name, "")) if row.get("secret") else value
    return found


def _flat(at: str, part: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in part.items():
        if isinstance(value, Mapping):
            yield from _flat(f"{at}{key}.", value)
        else:
            yield f"{at}{key}", value


def _masked(arguments: list[str]) -> list[str]:
    """Without the values of arguments that are secrets by their name, such as --api-key."""
    found: list[str] = []
    hides = False
    for argument in arguments:
        name, equals, _ = str(argument).partition("=")
        is_flag = name.startswith("--")
        is_secret = is_flag and is_secret_name(name.lstrip("-").replace("-", "_"))
        found.append(
            SET if hides and not is_flag else f"{name}={SET}" if is_secret and equals else str(argument)
        )
        hides = is_secret and not equals
    return found

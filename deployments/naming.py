"""Kubernetes-safe names and labels for any input: what our objects are called and how they are found again.

Owns the naming scheme, because three parts must agree on it: the manifests that write the names, the plan
that prunes by label, and the observer that matches pods to deployments. Two rules keep names apart:

- A text that already is a good name is kept as it is; any other becomes readable text plus a hash.
- Two hyphens in a row belong to this module. They introduce the hash and the role of an object
  (`md-chat--env`), so no deployment's name can produce an object of another deployment. A text that
  contains two hyphens itself therefore counts as one that has to change.

Names start with `md-` (model deployment). Kubernetes derives environment variables from the names of
services, and a service called `vllm-...`, `nim-...` or `dynamo-...` would overwrite the engine's own
settings. Pure: no Django, no I/O.
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Final

from deployments.vocabulary import Engine

PREFIX: Final = "md-"
PRODUCT: Final = "slipway"
FIELD_MANAGER: Final = PRODUCT

DEPLOYMENT_LABEL: Final = "slipway/deployment"
REVISION_LABEL: Final = "slipway/revision"
MODEL_ANNOTATION: Final = "slipway/model"
SECRETS_ANNOTATION: Final = "slipway/secrets-checksum"
RESTARTED_ANNOTATION: Final = "slipway/restarted-at"
"""On pods: when somebody last asked for a restart. A new value makes the pods start anew."""

ENGINE_ANNOTATION: Final = "sandbox.slipway/engine"
"""On pods of a sandbox alone: the address at which the engine listens."""

#: How Dynamo's operator rolls workers: how many more at first, how many fewer meanwhile.
PACE_ANNOTATIONS: Final = (
    "nvidia.com/deployment-rolling-update-max-surge",
    "nvidia.com/deployment-rolling-update-max-unavailable",
)
IN_PLACE: Final = ("0", "1")
ONE_MORE_FIRST: Final = ("1", "0")
PACES: Final = (IN_PLACE, ONE_MORE_FIRST)

TEMPLATE_LABEL: Final = "slipway/template"
"""On a workload that an operator runs, and on its pods: the digest of what its pods are made from. Tells pods of the
present template from older ones, as `controller-revision-hash` does for a StatefulSet."""

ROLE_LABEL: Final = "slipway/role"
"""On pods of a workload with several kinds of pods: "frontend", "worker", "prefill" or "decode"."""

MANAGED_BY_LABEL: Final = "app.kubernetes.io/managed-by"

MANAGED_SELECTOR: Final = f"{MANAGED_BY_LABEL}={PRODUCT}"
"""Finds every object that Slipway applied, in a namespace or cluster."""

DEPLOYED_SELECTOR: Final = DEPLOYMENT_LABEL
"""Also finds what others make for our deployments: operators write their own name into the managed-by label."""

GPU_PRODUCT_LABEL: Final = "nvidia.com/gpu.product"
"""Node label with the GPU's product name, written by NVIDIA's GPU feature discovery."""

PART_OF_LABEL: Final = "app.kubernetes.io/part-of"

#: A StatefulSet's name plus "-" and ten characters of revision hash is a label value of at most 63.
LONGEST_WORKLOAD_NAME: Final = 52

#: Dynamo's webhook takes at most 45 characters for a graph's name and a component's together.
LONGEST_COMPONENT_NAME: Final = len("Frontend")
LONGEST_GRAPH_NAME: Final = 45 - LONGEST_COMPONENT_NAME
_GRAPH_ROLE: Final = "graph"
_LONGEST_LABEL: Final = 63
_HASH_LENGTH: Final = 12
_SEPARATOR: Final = "--"

_DNS_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?", re.ASCII)
_LABEL_VALUE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?", re.ASCII)
_NOT_NAME = re.compile(r"[^a-z0-9]+", re.ASCII)


def workload(name: str) -> str:
    """Name of the workload and of the service that clients use: a DNS-1035 label of at most 52 characters.

    Different names give different results; "chat" gives "md-chat".
    """
    return PREFIX + _safe(name, LONGEST_WORKLOAD_NAME - len(PREFIX))


def graph(name: str) -> str:
    """Name of Dynamo's graph: at most 37 characters.

    Its operator makes objects called `<graph>-frontend`. The role keeps them apart from those of a deployment whose
    own name ends in "-frontend".
    """
    longest = LONGEST_GRAPH_NAME - len(PREFIX) - len(_SEPARATOR) - len(_GRAPH_ROLE)
    return f"{PREFIX}{_safe(name, longest)}{_SEPARATOR}{_GRAPH_ROLE}"


def scaling_adapter(name: str, component: str) -> str:
    """Name of the object through which a component of Dynamo's graph is scaled; its operator makes it."""
    return f"{graph(name)}-{component.lower()}"


def client_service(name: str) -> str:
    """The service that routes and the gateway send requests to."""
    return workload(name)


def headless_service(name: str) -> str:
    """The service that gives each replica its DNS name."""
    return _owned(name, "pods")


def environment_secret(name: str) -> str:
    """Holds the values of the secret environment variables, one key each."""
    return _owned(name, "env")


def weights_secret(name: str) -> str:
    """Holds the access token for gated weights under the key "token"."""
    return _owned(name, "weights")


def registry_secret(name: str) -> str:
    """Holds the credentials that pull the image."""
    return _owned(name, "registry")


def ngc_secret(name: str) -> str:
    """Holds the NGC key under the key "NGC_API_KEY", for NIM and for NVIDIA's registry."""
    return _owned(name, "ngc")


def cache_claim(name: str) -> str:
    """The volume that all replicas of a NIM share when its operator runs them."""
    return _owned(name, "cache")


def route(name: str) -> str:
    """The route to a NIM that its operator runs: the operator deletes routes and ingresses of the workload's name."""
    return _owned(name, "route")


def tls_secret(name: str) -> str:
    """Holds the endpoint's certificate and key.

    Each deployment has its own copy: with one shared secret, deleting a deployment would take the
    certificate from the others.
    """
    return _owned(name, "tls")


def route_path(name: str) -> str:
    """Path on the endpoint's host name under which this deployment's /v1 is found.

    An endpoint serves several deployments, so the host name alone does not say which one is meant.
    """
    return f"/{_safe(name, LONGEST_WORKLOAD_NAME - len(PREFIX))}/v1"


def selector(name: str) -> dict[str, str]:
    """The labels that find this deployment's pods. A StatefulSet's selector can never be changed."""
    return {DEPLOYMENT_LABEL: label_value(name)}


def selector_text(name: str) -> str:
    """A label selector, as the API takes it, for every object of this deployment."""
    return f"{MANAGED_SELECTOR},{DEPLOYMENT_LABEL}={label_value(name)}"


def labels(name: str, engine: Engine) -> dict[str, str]:
    """The labels of every object of a deployment. Nothing here changes from one revision to the next."""
    return {
        "app.kubernetes.io/name": engine.value,
        "app.kubernetes.io/instance": workload(name),
        MANAGED_BY_LABEL: PRODUCT,
        PART_OF_LABEL: PRODUCT,
        **selector(name),
    }


def operated_labels(name: str) -> dict[str, str]:
    """The labels of pods that an operator makes for a deployment.

    Operators also put them on the services and workloads that they make. Those are not ours to prune, so
    managed-by, which says that an object is ours, is not among them.
    """
    return {PART_OF_LABEL: PRODUCT, **selector(name)}


def label_value(text: str) -> str:
    """A label value for any text: the text itself where Kubernetes allows it, else text plus a hash."""
    if len(text) <= _LONGEST_LABEL and _LABEL_VALUE.fullmatch(text) and _SEPARATOR not in text:
        return text
    return _hashed(text, _LONGEST_LABEL)


def _owned(name: str, role: str) -> str:
    return f"{workload(name)}{_SEPARATOR}{role}"


def _safe(text: str, longest: int) -> str:
    if len(text) <= longest and _DNS_LABEL.fullmatch(text) and _SEPARATOR not in text:
        return text
    return _hashed(text, longest)


def _hashed(text: str, longest: int) -> str:
    """What can be read of the text, two hyphens, and sixty bits of its SHA-256."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    short = base64.b32encode(digest).decode("ascii").lower()[:_HASH_LENGTH]
    readable = _NOT_NAME.sub("-", text.lower())[: longest - _HASH_LENGTH - len(_SEPARATOR)].strip("-")
    return f"{readable or 'x'}{_SEPARATOR}{short}"

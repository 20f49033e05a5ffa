"""SQL statements per page: the same at 50 and at 5,000 rows, and at most 8."""

import io
import tempfile
from collections.abc import Iterator
from typing import Any

from django.core.management import call_command
from django.db import connection
from django.db.models import Model
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext

from console.models import User
from deployments.models import CatalogModel, Cluster, Deployment, Endpoint, Revision

_FEW, _MANY = 50, 5_000
_PAGES = {
    "overview": "/",
    "models": "/models/",
    "model": "/models/llama-8b-instruct/",
    "deployments": "/deployments/",
    "clusters": "/clusters/",
    "endpoints": "/endpoints/",
}
_KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: bench
contexts: [{name: bench, context: {cluster: bench, user: bench}}]
clusters: [{name: bench, cluster: {server: "http://127.0.0.1:9"}}]
users: [{name: bench, user: {token: bench}}]
"""


def measure() -> Iterator[tuple[str, object]]:
    """`<page>.queries_at_<rows>` for every list page, and the largest of all."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as kubeconfig:
        kubeconfig.write(_KUBECONFIG)
        kubeconfig.flush()
        with override_settings(SANDBOX_KUBECONFIG=kubeconfig.name):
            call_command("seed", verbosity=0, stdout=io.StringIO())
    client = Client(SERVER_NAME="localhost")
    client.force_login(User.objects.get(email="admin@example.com"))
    largest = 0
    for rows in (_FEW, _MANY):
        _fill(rows)
        for page, address in _PAGES.items():
            count = _queries(client, address)
            largest = max(largest, count)
            yield f"{page}.queries_at_{rows}", count
    yield "largest", largest


def _queries(client: Client, address: str) -> int:
    client.get(address)  # the first request of a process also fills caches
    with CaptureQueriesContext(connection) as captured:
        response = client.get(address)
    if response.status_code != 200:
        raise SystemExit(f"{address} answered {response.status_code}")
    return len(captured)


def _fill(rows: int) -> None:
    """As many models, clusters, endpoints and deployments as asked for, each like a seeded one."""
    kinds: tuple[tuple[type[Model], str, str], ...] = (
        (CatalogModel, "llama-8b-instruct", "name"),
        (Cluster, "sandbox", "name"),
        (Endpoint, "main", "hostname"),
    )
    for kind, slug, unique in kinds:
        like = kind._default_manager.get(slug=slug)
        kind._default_manager.bulk_create(
            _copy(like, slug=f"row-{number}", **{unique: f"row-{number}"})
            for number in range(kind._default_manager.count(), rows)
        )
    like = Deployment.objects.select_related("current").get(name="llama-8b-chat")
    numbers = range(Deployment.objects.count(), rows)
    fresh = Deployment.objects.bulk_create(
        _copy(like, name=f"row-{number}", current_id=None) for number in numbers
    )
    revisions = Revision.objects.bulk_create(_copy(like.current, deployment_id=row.pk) for row in fresh)
    for deployment, revision in zip(fresh, revisions, strict=True):
        deployment.current = revision
    Deployment.objects.bulk_update(fresh, ["current"], batch_size=1_000)


def _copy(row: Any, **changes: Any) -> Any:
    columns = [field.attname for field in row._meta.concrete_fields if not field.primary_key]
    return type(row)(**{name: getattr(row, name) for name in columns} | changes)

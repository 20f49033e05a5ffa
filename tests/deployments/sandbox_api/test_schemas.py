"""The shipped schemas are those that Kubernetes publishes, reduced."""

import json

from deployments.sandbox.api import kinds, schema
from tests.deployments.sandbox_api import schema_source


def test_the_shipped_file_is_made_from_the_published_schemas() -> None:
    shipped = (schema_source.SCHEMAS / "kubernetes.json").read_text()
    assert json.loads(shipped) == schema_source.kubernetes()


def test_every_stored_kind_that_we_write_has_a_schema() -> None:
    without = {plural for plural in kinds.stored() if schema.name_of(kinds.on_shelf(plural)) is None}
    assert without == {"customresourcedefinitions", "apiservices"}


def test_every_reference_leads_somewhere() -> None:
    known = schema.definitions()
    text = json.dumps(known)
    used = {part.partition('"')[0] for part in text.split("#/definitions/")[1:]}
    assert used <= set(known)

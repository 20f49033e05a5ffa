"""Objects against schemas: those of Kubernetes for its own kinds, ours for the kinds of operators.

Ours (schemas/) are closed and hold just what we write. Where the custom resource definitions themselves are at hand,
crd_schema() makes them as strict: the API server drops a field that a definition does not know without a word.
"""

from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml
from jsonschema import Draft202012Validator

from tests.deployments.manifests.semantics import pods

SCHEMAS = Path(__file__).parent / "schemas"


def validate(made: dict[str, Any], version: str) -> None:
    """Raises for an object that its schema refuses; `version` is that of Kubernetes."""
    file = SCHEMAS / f"{made['kind']}-{made['apiVersion'].rpartition('/')[2]}.yaml"
    if not file.exists():
        kubernetes_validate.validate(made, version, strict=True)
        return
    _schema(file).validate(made)
    if made["kind"] == "DynamoGraphDeployment":
        for name, (labels, pod) in pods(made).items():
            about = {"name": name.lower(), "labels": labels}
            # The operator fills in what it knows better, such as the frontend's command.
            kubernetes_validate.validate(
                {"apiVersion": "v1", "kind": "Pod", "metadata": about, "spec": pod}, version, strict=True
            )


@cache
def crd_schema(folder: Path, api_version: str, kind: str) -> Draft202012Validator:
    """The validator of a kind, from the definitions in the folder and those below it. LookupError: not there."""
    group, _, version = api_version.partition("/")
    for file in sorted(folder.rglob("*.yaml")):
        if f"{group}_{kind.lower()}s" not in file.name:
            continue
        definition = yaml.load(file.read_text(), Loader=yaml.CSafeLoader)
        for served in definition["spec"]["versions"]:
            if served["name"] == version:
                return Draft202012Validator(_closed(served["schema"]["openAPIV3Schema"]))
    raise LookupError(f"{kind} of {api_version}")


@cache
def _schema(file: Path) -> Draft202012Validator:
    return Draft202012Validator(yaml.safe_load(file.read_text()))


def _closed(schema: Any, top: bool = True) -> Any:
    """The schema in words of JSON Schema, with every object closed that does not keep unknown fields."""
    if not isinstance(schema, dict):
        return schema
    made = {key: value for key, value in schema.items() if not key.startswith("x-kubernetes-")}
    if schema.get("x-kubernetes-int-or-string"):
        made.pop("anyOf", None)
        made["type"] = ["integer", "string"]
    if "properties" in schema:
        made["properties"] = {key: _closed(part, False) for key, part in schema["properties"].items()}
        keeps = schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in schema
        if not keeps:
            made["additionalProperties"] = False
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            made[key] = _closed(schema[key], False)
    if top:
        # The API machinery judges these itself.
        made["properties"] |= {"metadata": {"type": "object"}}
    return made

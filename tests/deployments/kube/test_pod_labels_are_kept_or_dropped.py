"""The definition of Dynamo's graph says which of its versions keep the labels of pods."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployments.kube.decode import read_one
from deployments.kube.errors import Unreadable
from deployments.kube.pod_labels import Definition, kept
from deployments.sandbox.api import definition_schema, kinds

BOTH = ("v1alpha1", "v1beta1")
TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
NAMED = {"type": "object", "properties": {"labels": TEXTS, "annotations": TEXTS}}
OPEN = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
BARE = {"type": "object"}


def within(*way: str, end: Any) -> Any:
    """A schema that leads to another one."""
    for field in reversed(way):
        if field == "[]":
            end = {"type": "array", "items": end}
        elif field == "{}":
            end = {"type": "object", "additionalProperties": end}
        else:
            end = {"type": "object", "properties": {field: end}}
    return end


def beta(metadata: Any, **template: Any) -> Any:
    pods = within("metadata", end=metadata) | template
    return within("spec", "components", "[]", "podTemplate", end=pods)


def alpha(metadata: Any) -> Any:
    return within("spec", "services", "{}", "extraPodMetadata", end=metadata)


def definition(**versions: Any) -> Definition:
    listed = [
        {"name": name, "served": True, "schema": {"openAPIV3Schema": root}} for name, root in versions.items()
    ]
    body = {"kind": "CustomResourceDefinition", "metadata": {"name": "x"}, "spec": {"versions": listed}}
    return read_one(Definition, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("metadata", "keeps"),
    [
        (BARE, False),
        (NAMED, True),
        (OPEN, True),
        ({"type": "object", "properties": {"annotations": TEXTS}}, False),
        ({"type": "object", "properties": {"labels": BARE}}, False),
        ({"type": "object", "properties": {"labels": OPEN}}, True),
    ],
)
def test_v1beta1_is_left_out_where_it_drops_labels(metadata: Any, keeps: bool) -> None:
    found = definition(v1alpha1=alpha(NAMED), v1beta1=beta(metadata))
    assert kept(found, BOTH) == (BOTH if keeps else ("v1alpha1",))


def test_no_version_is_left_where_both_drop_them() -> None:
    assert kept(definition(v1alpha1=alpha(BARE), v1beta1=beta(BARE)), BOTH) == ()
    assert kept(definition(v1beta1=beta(BARE)), ("v1beta1",)) == ()


def test_an_embedded_object_keeps_its_metadata_without_naming_it() -> None:
    pods = {"type": "object", "x-kubernetes-embedded-resource": True}
    found = definition(v1beta1=within("spec", "components", "[]", "podTemplate", end=pods))
    assert kept(found, ("v1beta1",)) == ("v1beta1",)


@pytest.mark.parametrize("way", [(), ("spec",), ("spec", "components", "[]")])
def test_what_is_open_on_the_way_keeps_everything_below(way: tuple[str, ...]) -> None:
    assert kept(definition(v1beta1=within(*way, end=OPEN)), ("v1beta1",)) == ("v1beta1",)


def test_a_version_without_a_schema_and_one_that_we_do_not_know_are_trusted() -> None:
    body = {"spec": {"versions": [{"name": "v1beta1", "served": True}]}}
    bare = read_one(Definition, json.dumps(body).encode())
    assert kept(bare, ("v1beta1", "v1")) == ("v1beta1", "v1")


def test_what_is_no_definition_cannot_be_read() -> None:
    with pytest.raises(Unreadable):
        read_one(Definition, b'{"spec": {"versions": "none"}}')


def test_the_sandbox_shows_what_it_keeps() -> None:
    shown = {
        kind.version: definition_schema.outline(kind)
        for kind in kinds.KINDS
        if kind.plural == "dynamographdeployments"
    }
    assert kept(definition(**shown), BOTH) == BOTH
    template = shown["v1beta1"]["properties"]["spec"]["properties"]["components"]["items"]["properties"][
        "podTemplate"
    ]
    del template["properties"]["metadata"]["properties"]
    assert kept(definition(**shown), BOTH) == ("v1alpha1",)


def test_a_shown_schema_is_one_that_an_api_server_would_take() -> None:
    """No references, no rules for patches; the object's own metadata without fields."""
    for kind in kinds.KINDS:
        if kind.custom:
            shown = definition_schema.outline(kind)
            text = json.dumps(shown)
            assert "$ref" not in text
            assert "x-kubernetes-patch" not in text
            assert shown["properties"]["metadata"] == BARE


@pytest.mark.skipif(not os.environ.get("SLIPWAY_TEST_CRDS"), reason="needs the operators' own definitions")
def test_the_operators_own_definition_is_understood() -> None:
    [file] = Path(os.environ["SLIPWAY_TEST_CRDS"]).rglob("*_dynamographdeployments.yaml")
    body = yaml.safe_load(file.read_text())
    found = read_one(Definition, json.dumps(body).encode())
    assert "v1alpha1" in kept(found, BOTH)

"""manage.py render prints objects, or says what is wrong with the document and ends with 2."""

import io
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import CommandError, call_command

from tests.deployments.manifests.semantics import faults

DOCUMENT = """\
apiVersion: slipway/v1
kind: ModelDeployment
metadata: {name: opt-125m}
spec:
  model: facebook/opt-125m
  endpoint: main
  engine: {kind: vllm, image: vllm/vllm-openai, tag: v0.33.0}
  environment: [{name: EXTRA_TOKEN, secret: true}]
"""


@pytest.fixture
def document(tmp_path: Path) -> Path:
    file = tmp_path / "document.yaml"
    file.write_text(DOCUMENT)
    return file


def printed(*arguments: Any) -> list[dict[str, Any]]:
    out = io.StringIO()
    call_command("render", *map(str, arguments), stdout=out)
    return list(yaml.safe_load_all(out.getvalue()))


def refused(*arguments: Any) -> list[str]:
    out, err = io.StringIO(), io.StringIO()
    with pytest.raises(SystemExit) as end:
        call_command("render", *map(str, arguments), stdout=out, stderr=err, no_color=True)
    assert end.value.code == 2
    assert out.getvalue() == ""
    return err.getvalue().splitlines()


def test_the_objects_are_printed_without_a_database(document: Path) -> None:
    objects = printed(document)
    assert [made["kind"] for made in objects] == ["Service", "Service", "StatefulSet"]
    assert faults(objects) == []
    assert objects[-1]["spec"]["template"]["spec"]["containers"][0]["args"][0] == "facebook/opt-125m"


def test_a_dash_reads_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(DOCUMENT.encode())))
    assert printed("-")[-1]["metadata"]["name"] == "md-opt-125m"


def test_options_stand_for_the_catalogue_and_the_endpoint(document: Path) -> None:
    where = [
        "--namespace",
        "models",
        "--host",
        "llm.example.com",
        "--routing",
        "gateway",
        "--gateway",
        "gateways/main",
    ]
    objects = printed(document, *where, "--source", "object-storage", "--reference", "s3://weights/opt")
    assert {made["metadata"]["namespace"] for made in objects} == {"models"}
    assert objects[-1]["spec"]["parentRefs"] == [{"name": "main", "namespace": "gateways"}]
    assert objects[-1]["spec"]["hostnames"] == ["llm.example.com"]
    assert objects[-2]["spec"]["template"]["spec"]["containers"][0]["args"][0] == "s3://weights/opt"


def test_every_problem_is_a_line_with_its_path(document: Path) -> None:
    document.write_text(DOCUMENT.replace("opt-125m}", "Opt}").replace("v0.33.0", "v0.33.0, volume: 1Gb"))
    lines = refused(document)
    assert [line.split(": ")[0] for line in lines] == ["metadata.name", "spec.engine.volume"]


def test_an_engine_that_is_not_offered_is_a_problem_of_the_document(document: Path) -> None:
    document.write_text(DOCUMENT.replace("kind: vllm", "kind: dynamo"))
    lines = refused(document, "--source", "volume", "--reference", "weights")
    assert lines == [
        "spec.engine.kind: Dynamo loads weights from Hugging Face only. Give the model such a source, or choose vLLM."
    ]


def test_a_nim_without_an_image_gets_that_of_the_source(document: Path) -> None:
    nim = DOCUMENT.replace("kind: vllm, image: vllm/vllm-openai, tag: v0.33.0", "kind: nim, tag: 1.8.3")
    document.write_text(nim)
    assert refused(document)[0].startswith("spec.engine.kind: This model has no NGC image.")
    objects = printed(document, "--source", "ngc", "--reference", "meta/llama-3.1-8b-instruct")
    container = objects[-1]["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "nvcr.io/nim/meta/llama-3.1-8b-instruct:1.8.3"


def test_an_ngc_key_is_referred_to_and_never_printed(document: Path) -> None:
    nim = "kind: nim, tag: 1.8.3, runner: operator"
    document.write_text(DOCUMENT.replace("kind: vllm, image: vllm/vllm-openai, tag: v0.33.0", nim))
    where = ["--source", "ngc", "--reference", "meta/llama-3.1-8b-instruct"]
    assert "needs an NGC key" in refused(document, *where)[0]
    objects = printed(document, *where, "--ngc-key", "--pull-secret", "mirror")
    assert [made["kind"] for made in objects] == ["NIMService"]
    assert objects[0]["spec"]["authSecret"] == "md-opt-125m--ngc"
    assert objects[0]["spec"]["image"]["pullSecrets"] == ["md-opt-125m--registry", "mirror"]


def test_figures_of_the_engine_need_the_address_of_prometheus(document: Path) -> None:
    document.write_text(DOCUMENT + "  autoscaling: {enabled: true, metric: requests-waiting}\n")
    assert refused(document) == [
        "spec.autoscaling.metric: The metric comes from Prometheus. Say with --prometheus where it is."
    ]
    objects = printed(document, "--prometheus", "http://prometheus.monitoring:9090")
    (scaled,) = [made for made in objects if made["kind"] == "ScaledObject"]
    assert scaled["spec"]["triggers"][0]["metadata"]["threshold"] == "5"


@pytest.mark.parametrize("version", ["v1alpha1", "v1beta1"])
def test_a_graph_is_printed_in_the_version_asked_for(document: Path, version: str) -> None:
    document.write_text(
        DOCUMENT.replace("kind: vllm, image: vllm/vllm-openai, tag: v0.33.0", "kind: dynamo, tag: 1.3.1")
    )
    objects = printed(document, "--dynamo", version)
    assert [made["kind"] for made in objects] == ["Service", "DynamoGraphDeployment"]
    assert objects[-1]["apiVersion"] == f"nvidia.com/{version}"


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"a: [", b"", b"x" * 10_000_000])
def test_what_is_no_document_is_refused(document: Path, content: bytes) -> None:
    document.write_bytes(content)
    assert refused(document)


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read"):
        printed(tmp_path / "nothing.yaml")

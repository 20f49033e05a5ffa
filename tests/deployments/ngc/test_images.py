"""Images of NVIDIA's catalogue: their names, their release lines, and who needs a key."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.context import ModelSource
from deployments.document.rules import image, tag
from deployments.engines import ngc
from deployments.engines.ngc import Line
from deployments.vocabulary import SourceKind
from tests.deployments.manifests.cases import SIMPLEST
from tests.deployments.manifests.nim_cases import NIM, nim


@pytest.mark.parametrize(
    ("written", "line"),
    [
        ("1.8", Line(1)),
        ("1.15.0", Line(1)),
        ("v1.8.3", Line(1)),
        ("1.8.0-rtx", Line(1)),
        ("2.0.12", Line(2)),
        ("2.0.4-pb6.0", Line(2)),
        ("3.0.0", Line(2)),
        ("latest", Line(2, known=False)),
        ("sha256:" + "1" * 64, Line(2, known=False)),
    ],
)
def test_the_tag_tells_the_line(written: str, line: Line) -> None:
    assert ngc.line_of(written) == line
    assert line.takes_arguments == (line.major == 2)


@given(st.text(max_size=40))
def test_any_tag_has_a_line(written: str) -> None:
    assert ngc.line_of(written).major in (1, 2)


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("nvcr.io/nim/meta/llama-3.1-8b-instruct", "nvcr.io/nim/meta/llama-3.1-8b-instruct"),
        ("nvcr.io/nim/meta/llama-3.1-8b-instruct:1.8", "nvcr.io/nim/meta/llama-3.1-8b-instruct"),
        ("nim/meta/llama-3.1-8b-instruct", "nvcr.io/nim/meta/llama-3.1-8b-instruct"),
        ("meta/llama-3.1-8b-instruct", "nvcr.io/nim/meta/llama-3.1-8b-instruct"),
        ("registry.example.com:5000/llama:2.0", "registry.example.com:5000/llama"),
        ("registry.example.com/llama@sha256:" + "1" * 64, "registry.example.com/llama"),
    ],
)
def test_an_ngc_source_names_the_image(reference: str, found: str) -> None:
    assert ngc.image_of(ModelSource(reference, kind=SourceKind.NGC)) == found


def test_a_nim_without_an_image_gets_that_of_its_model() -> None:
    source = ModelSource("meta/llama-3.1-8b-instruct", kind=SourceKind.NGC)
    assert ngc.resolve(nim(image=""), source) == NIM
    assert (
        ngc.resolve(nim(image="registry.example.com/own"), source).engine.image == "registry.example.com/own"
    )
    assert ngc.resolve(nim(image=""), ModelSource("facebook/opt-125m")).engine.image == ""
    other = replace(SIMPLEST, engine=replace(SIMPLEST.engine, image=""))
    assert ngc.resolve(other, source) is other


@pytest.mark.parametrize(
    ("name", "written", "keyless"),
    [
        ("nvcr.io/nim/meta/llama", "2.0.12", True),
        ("nvcr.io/nim/meta/llama", "2.0.3", False),
        ("nvcr.io/nim/meta/llama", "1.8", False),
        ("nvcr.io/nim/meta/llama-pb6", "2.0.12", False),
        ("nvcr.io/nim/meta/llama", "2.0.12-pb7.0", False),
        ("nvcr.io/nim/meta/llama", "latest", True),
        ("registry.example.com/llama", "1.8", True),
    ],
)
def test_only_newer_feature_branches_and_mirrors_can_do_without_a_key(
    name: str, written: str, keyless: bool
) -> None:
    assert ngc.may_be_keyless(name, written) is keyless


def test_every_known_image_can_be_deployed() -> None:
    assert len({known.image for known in ngc.KNOWN}) == len(ngc.KNOWN)
    for known in ngc.KNOWN:
        assert image(known.image) == known.image
        assert tag(known.tag) == known.tag == ngc.newest_tag(known.image)
        assert ngc.is_of_nvidia(known.image)
    assert ngc.newest_tag("registry.example.com/llama") == ""

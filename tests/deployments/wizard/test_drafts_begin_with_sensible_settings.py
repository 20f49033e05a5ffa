"""What a new draft proposes fits the model and the cluster, and can be deployed as it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.context import ModelSource, SizingFacts
from deployments.engines.ngc import is_model_free, line_of, newest_tag
from deployments.facts import Addons, ClusterFacts, GpuNode
from deployments.quantity import GIBI
from deployments.vocabulary import Engine, SourceKind
from deployments.wizard import defaults, reading
from tests.deployments.wizard.conftest import FACTS, H100

GENERAL = {"name": "chat", "model": "m", "endpoint": "e"}


@pytest.mark.parametrize(
    ("billions", "heads", "count", "product"),
    [
        (1, 12, 1, None),
        (30, 32, 1, H100),
        (40, 32, 2, H100),
        (70, 64, 4, None),
        (250, 64, 8, H100),
        (5000, 64, 1, None),
    ],
)
def test_the_fewest_gpus_that_hold_the_weights(
    billions: int, heads: int, count: int, product: str | None
) -> None:
    gpu = defaults.gpus(SizingFacts(billions * 10**9, 16, attention_heads=heads), FACTS)
    assert (gpu.count, gpu.product) == (count, product)


@pytest.mark.parametrize("facts", [None, ClusterFacts("v1.34")])
def test_without_facts_one_gpu_of_any_product(facts: ClusterFacts | None) -> None:
    assert defaults.gpus(SizingFacts(70 * 10**9, 16), facts).count == 1


def test_a_gpu_count_divides_the_attention_heads() -> None:
    assert defaults.gpus(SizingFacts(30 * 10**9, 16, attention_heads=15), only(48)).count == 1
    assert defaults.gpus(SizingFacts(30 * 10**9, 16, attention_heads=16), only(48)).count == 2


def only(gib: int) -> ClusterFacts:
    return ClusterFacts("v1.34", gpu_nodes=(GpuNode("n", "P", gib * GIBI, total=8, free=8),))


@given(
    st.builds(
        SizingFacts,
        parameters=st.none() | st.integers(1, 10**13),
        bits_per_parameter=st.none() | st.integers(1, 64),
        attention_heads=st.none() | st.integers(1, 256),
    ),
    st.sampled_from([None, FACTS, only(24)]),
)
def test_every_proposal_can_be_read(sizing: SizingFacts, facts: ClusterFacts | None) -> None:
    proposed = defaults.propose(ModelSource("a/b", sizing=sizing), facts)
    assert reading.read({**proposed, "general": GENERAL}).problems == {}
    assert reading.to_sections(reading.to_mapping(proposed))["engine"]["image"]


@pytest.mark.parametrize("kind", list(Engine))
def test_every_engines_settings_can_be_read(kind: Engine) -> None:
    source = ModelSource("nvcr.io/nim/meta/llama-3.1-8b-instruct", kind=SourceKind.NGC)
    sections = {**defaults.propose(source, FACTS), "engine": defaults.engine(kind, source, FACTS)}
    found = reading.read({**sections, "general": GENERAL})
    assert found.problems == {}
    assert found.spec is not None
    assert found.spec.engine.kind is kind


@pytest.mark.parametrize(
    ("reference", "image", "tag"),
    [
        ("nvcr.io/nim/meta/llama-3.1-8b-instruct:1.8", "nvcr.io/nim/meta/llama-3.1-8b-instruct", "1.8"),
        (
            "meta/llama-3.1-8b-instruct",
            "nvcr.io/nim/meta/llama-3.1-8b-instruct",
            newest_tag("nvcr.io/nim/meta/llama-3.1-8b-instruct"),
        ),
        ("nvcr.io/nim/acme/new-model", "nvcr.io/nim/acme/new-model", ""),
    ],
)
def test_an_ngc_image_begins_with_nim_and_its_newest_known_tag(reference: str, image: str, tag: str) -> None:
    proposed = defaults.propose(ModelSource(reference, kind=SourceKind.NGC), None)["engine"]
    assert (proposed["kind"], proposed["image"], proposed["tag"]) == ("nim", image, tag)


def test_a_nim_for_a_repository_begins_with_an_image_that_serves_any_model() -> None:
    image, tag = defaults.nim_image(ModelSource("a/b"))
    assert is_model_free(image)
    assert line_of(tag).major == 2
    assert defaults.nim_image(ModelSource("a/b", revision="abc")) == ("", "")
    assert defaults.nim_image(ModelSource("s3://a/b", kind=SourceKind.OBJECT_STORAGE)) == ("", "")


@pytest.mark.parametrize(
    ("versions", "tag"),
    [
        ((), defaults.DYNAMO_TAG),
        (("v1alpha1", "v1beta1"), defaults.DYNAMO_TAG),
        (("v1alpha1",), defaults.OLD_DYNAMO_TAG),
    ],
)
def test_dynamos_runtime_fits_the_platform(versions: tuple[str, ...], tag: str) -> None:
    facts = ClusterFacts("v1.34", addons=Addons(dynamo=bool(versions), dynamo_versions=versions))
    assert defaults.dynamo_tag(facts) == tag

"""The decisions behind Dynamo's objects, one by one."""

from dataclasses import replace
from typing import Any

import pytest

from deployments import naming
from deployments.context import PLAIN_KUBERNETES, ClusterOffers, ModelSource, RenderContext
from deployments.manifests import EngineNotOffered, Manifest, render
from deployments.spec import Autoscaling, DeploymentSpec, Limit, RateLimits, Variable, Workers
from deployments.vocabulary import DynamoBackend, DynamoMode, RolloutStrategy, SourceKind
from tests.deployments.manifests.cases import GATEWAY
from tests.deployments.manifests.dynamo_cases import KEY, SCALING, VERSIONS, given, graph
from tests.deployments.manifests.semantics import pods

APART = graph(DynamoMode.DISAGGREGATED)
SURGE = "nvidia.com/deployment-rolling-update-max-surge"
UNAVAILABLE = "nvidia.com/deployment-rolling-update-max-unavailable"


def made(wanted: DeploymentSpec, context: RenderContext, kind: str = "DynamoGraphDeployment") -> Manifest:
    return next(found for found in render(wanted, context) if found["kind"] == kind)


def parts(wanted: DeploymentSpec, context: RenderContext) -> dict[str, Manifest]:
    """Components by name, as either version writes them."""
    spec = made(wanted, context)["spec"]
    return {c["name"]: c for c in spec["components"]} if "components" in spec else spec["services"]


def annotations(wanted: DeploymentSpec, context: RenderContext) -> dict[str, dict[str, str]]:
    return {
        name: part["podTemplate"]["metadata"]["annotations"]
        if "podTemplate" in part
        else part["extraPodMetadata"]["annotations"]
        for name, part in parts(wanted, context).items()
    }


def container(name: str, wanted: DeploymentSpec, context: RenderContext) -> Manifest:
    return pods(made(wanted, context))[name][1]["containers"][0]


def argument(flag: str, name: str, wanted: DeploymentSpec, context: RenderContext) -> str:
    given_ = container(name, wanted, context)["args"]
    return str(given_[given_.index(flag) + 1])


def test_the_newest_version_that_is_served_is_written() -> None:
    for served, written in (
        (("v1alpha1", "v1beta1"), "v1beta1"),
        (("v1beta1",), "v1beta1"),
        (("v1alpha1",), "v1alpha1"),
    ):
        offers = ClusterOffers(dynamo_versions=served)
        assert made(graph(), replace(given(), offers=offers))["apiVersion"] == f"nvidia.com/{written}"


def test_without_an_operator_it_says_what_to_install() -> None:
    with pytest.raises(EngineNotOffered, match="dynamo-platform"):
        render(graph(), replace(given(), offers=PLAIN_KUBERNETES))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_graph_has_a_frontend_and_workers(version: str) -> None:
    assert list(parts(graph(), given(version))) == ["Frontend", "Worker"]
    assert list(parts(APART, given(version))) == ["Frontend", "Prefill", "Decode"]


@pytest.mark.parametrize("version", VERSIONS)
def test_workers_have_their_own_replicas_and_gpus(version: str) -> None:
    wanted = graph(DynamoMode.DISAGGREGATED, prefill=Workers(3, gpus=1), decode=Workers(2, gpus=4))
    found = parts(wanted, given(version))
    assert [part["replicas"] for part in found.values()] == [1, 3, 2]
    gpus = [
        container(name, wanted, given(version))["resources"]["limits"].get("nvidia.com/gpu") for name in found
    ]
    assert gpus == [None, "1", "4"]
    sizes = [
        argument("--tensor-parallel-size", name, wanted, given(version)) for name in ("Prefill", "Decode")
    ]
    assert sizes == ["1", "4"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("backend", DynamoBackend)
def test_clients_name_the_deployment_as_the_model(version: str, backend: DynamoBackend) -> None:
    assert argument("--served-model-name", "Worker", graph(backend=backend), given(version)) == "qwen"


@pytest.mark.parametrize("backend", DynamoBackend)
def test_each_worker_is_told_its_role(backend: DynamoBackend) -> None:
    wanted = graph(DynamoMode.DISAGGREGATED, backend)
    for role in ("prefill", "decode"):
        assert argument("--disaggregation-mode", role.title(), wanted, given()) == role
    together = container("Worker", graph(backend=backend), given())["args"]
    assert "--disaggregation-mode" not in together


def test_given_arguments_come_last() -> None:
    wanted = graph(arguments=("--max-model-len", "8192"))
    assert container("Worker", wanted, given())["args"][-2:] == ["--max-model-len", "8192"]


@pytest.mark.parametrize("version", VERSIONS)
def test_clients_reach_the_frontend_under_the_name_that_routes_use(version: str) -> None:
    service = made(APART, given(version), "Service")
    selected = [
        name
        for name, (labels, _) in pods(made(APART, given(version))).items()
        if service["spec"]["selector"].items() <= labels.items()
    ]
    assert selected == ["Frontend"]
    route = made(APART, replace(given(version), exposure=GATEWAY), "HTTPRoute")
    assert route["spec"]["rules"][0]["backendRefs"][0]["name"] == service["metadata"]["name"] == "md-qwen"


@pytest.mark.parametrize("version", VERSIONS)
def test_the_autoscaler_changes_the_workers_that_write_answers(version: str) -> None:
    for mode, scaled in ((DynamoMode.AGGREGATED, "Worker"), (DynamoMode.DISAGGREGATED, "Decode")):
        wanted = graph(mode, autoscaling=SCALING)
        found = parts(wanted, given(version))
        assert [name for name, part in found.items() if "scalingAdapter" in part] == [scaled]
        assert [name for name, part in found.items() if "replicas" not in part] == [scaled]
        target = made(wanted, given(version), "HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]
        assert target["name"] == f"md-qwen--graph-{scaled.lower()}"
        assert target["apiVersion"] == f"nvidia.com/{version}"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_stopped_graph_keeps_everything_but_its_pods_and_its_autoscaler(version: str) -> None:
    wanted = graph(DynamoMode.DISAGGREGATED, autoscaling=Autoscaling(enabled=True))
    stopped = given(version, stopped=True)
    assert {part["replicas"] for part in parts(wanted, stopped).values()} == {0}
    assert not any("scalingAdapter" in part for part in parts(wanted, stopped).values())
    assert pods(made(wanted, stopped)) == pods(made(wanted, given(version)))
    assert "HorizontalPodAutoscaler" not in [o["kind"] for o in render(wanted, stopped)]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("strategy", "pace"), [(RolloutStrategy.REPLACE, ("0", "1")), (RolloutStrategy.SURGE, ("1", "0"))]
)
def test_workers_are_replaced_as_the_revision_says_and_the_frontend_never_leaves_a_gap(
    version: str, strategy: RolloutStrategy, pace: tuple[str, str]
) -> None:
    found = annotations(APART, given(version, strategy=strategy))
    for name in ("Prefill", "Decode"):
        assert (found[name][SURGE], found[name][UNAVAILABLE]) == pace
    assert (found["Frontend"][SURGE], found["Frontend"][UNAVAILABLE]) == ("1", "0")


def template(wanted: DeploymentSpec, context: RenderContext) -> str:
    """The one template of all components."""
    found = made(wanted, context)
    labels = {labels[naming.TEMPLATE_LABEL] for labels, _ in pods(found).values()}
    assert labels == {found["metadata"]["labels"][naming.TEMPLATE_LABEL]}
    return str(labels.pop())


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("wanted", "changes"),
    [
        (graph(DynamoMode.DISAGGREGATED, description="New"), {"revision": 7}),
        (graph(DynamoMode.DISAGGREGATED, rate_limits=RateLimits(user=Limit(1000, 10))), {}),
        (graph(DynamoMode.DISAGGREGATED, prefill=Workers(4), decode=Workers(5)), {}),
        (graph(DynamoMode.DISAGGREGATED, autoscaling=SCALING), {}),
        (APART, {"stopped": True}),
        (APART, {"exposure": GATEWAY}),
    ],
)
def test_what_concerns_no_pod_leaves_the_pods_as_they_are(
    version: str, wanted: DeploymentSpec, changes: dict[str, Any]
) -> None:
    later = replace(given(version), **changes)
    assert pods(made(wanted, later)) == pods(made(APART, given(version)))
    assert template(wanted, later) == template(APART, given(version))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("wanted", "changes"),
    [
        (graph(DynamoMode.DISAGGREGATED, arguments=("--enforce-eager",)), {}),
        (graph(DynamoMode.DISAGGREGATED, environment=(Variable("DYN_LOG", "debug"),)), {}),
        (graph(DynamoMode.DISAGGREGATED, decode=Workers(2, gpus=2)), {}),
        (APART, {"restarted_at": "2026-11-23T10:00:00+00:00"}),
        (APART, {"storage_class": "nvme-local"}),
    ],
)
def test_what_pods_are_made_from_makes_another_template(
    version: str, wanted: DeploymentSpec, changes: dict[str, Any]
) -> None:
    assert template(wanted, replace(given(version), **changes)) != template(APART, given(version))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_restart_reaches_every_pod(version: str) -> None:
    asked = "2026-11-23T10:00:00+00:00"
    found = annotations(APART, given(version, restarted_at=asked))
    assert {each[naming.RESTARTED_ANNOTATION] for each in found.values()} == {asked}


def test_components_may_look_each_other_up() -> None:
    """They are found through the Kubernetes API, so that their pods need a key to it, unlike vLLM's."""
    assert all("automountServiceAccountToken" not in pod for _, pod in pods(made(APART, given())).values())


def test_a_key_pulls_the_images_and_stands_nowhere_else() -> None:
    objects = render(APART, given(ngc_key=KEY, pull_secret="mirror"))
    assert [o["metadata"]["name"] for o in objects if o["kind"] == "Secret"] == ["md-qwen--registry"]
    assert KEY not in str(objects)
    for _, pod in pods(made(APART, given(ngc_key=KEY, pull_secret="mirror"))).values():
        assert pod["imagePullSecrets"] == [{"name": "md-qwen--registry"}, {"name": "mirror"}]


def test_a_token_reaches_the_frontend_too() -> None:
    """It reads the model's tokenizer."""
    gated = given(weights_token="hf_token")
    for name in ("Frontend", "Worker"):
        env = {v["name"]: v.get("valueFrom") for v in container(name, graph(), gated)["env"]}
        assert env["HF_TOKEN"] == {"secretKeyRef": {"name": "md-qwen--weights", "key": "token"}}


def test_large_weights_wait_longer_than_the_operator_does() -> None:
    from tests.deployments.manifests.dynamo_cases import CASES

    assert "startupProbe" not in container("Worker", graph(), given())
    probe = container("Worker", *CASES["dynamo-large-weights"])["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] > 14400


@pytest.mark.parametrize(
    ("wanted", "source", "reason"),
    [
        (graph(), ModelSource("weights", kind=SourceKind.VOLUME), "from Hugging Face only"),
        (graph(), ModelSource("nvcr.io/nim/a/b", kind=SourceKind.NGC), "from Hugging Face only"),
        (
            graph(backend=DynamoBackend.TRTLLM),
            ModelSource("Qwen/Qwen3-0.6B", revision="main"),
            "pinned revision",
        ),
    ],
)
def test_weights_that_cannot_be_loaded_say_so(
    wanted: DeploymentSpec, source: ModelSource, reason: str
) -> None:
    with pytest.raises(EngineNotOffered, match=reason):
        render(wanted, given(source=source))


def test_what_the_operator_makes_does_not_pass_for_ours() -> None:
    for labels, _ in pods(made(APART, given())).values():
        assert naming.MANAGED_BY_LABEL not in labels
        assert labels[naming.DEPLOYMENT_LABEL] == "qwen"

"""The decisions behind vLLM's objects, one by one."""

from dataclasses import replace
from typing import Any

import pytest

from deployments import naming
from deployments.context import RenderContext, SizingFacts
from deployments.engines.memory import shared_memory
from deployments.manifests import EngineNotOffered, Manifest, render
from deployments.manifests.pods import BUDGETS, FORGET, start_budget
from deployments.quantity import GIBI, MEBI
from deployments.spec import (
    Autoscaling,
    DeploymentSpec,
    Gpu,
    Limit,
    Pricing,
    RateLimits,
    Resources,
    SharingSpec,
    Variable,
)
from deployments.vocabulary import Sharing, SourceKind, UseCase
from tests.deployments.manifests.cases import (
    CONTEXT,
    GATEWAY,
    INGRESS,
    OPT,
    SIMPLEST,
    context,
    engine,
    gpus,
    source,
    spec,
)


def workload(wanted: DeploymentSpec = SIMPLEST, given: RenderContext = CONTEXT) -> Manifest:
    return next(made for made in render(wanted, given) if made["kind"] == "StatefulSet")


def pod(wanted: DeploymentSpec = SIMPLEST, given: RenderContext = CONTEXT) -> Manifest:
    return workload(wanted, given)["spec"]["template"]["spec"]


def container(wanted: DeploymentSpec = SIMPLEST, given: RenderContext = CONTEXT) -> Manifest:
    return pod(wanted, given)["containers"][0]


def arguments(wanted: DeploymentSpec = SIMPLEST, given: RenderContext = CONTEXT) -> list[str]:
    return container(wanted, given)["args"]


def argument(flag: str, wanted: DeploymentSpec = SIMPLEST, given: RenderContext = CONTEXT) -> str:
    found = arguments(wanted, given)
    return found[found.index(flag) + 1]


def variables(wanted: DeploymentSpec = SIMPLEST, given: RenderContext = CONTEXT) -> dict[str, Any]:
    return {v["name"]: v.get("value", v.get("valueFrom")) for v in container(wanted, given)["env"]}


def kinds(wanted: DeploymentSpec = SIMPLEST, given: RenderContext = CONTEXT) -> list[str]:
    return [made["kind"] for made in render(wanted, given)]


def test_variables_of_services_do_not_reach_the_engine() -> None:
    assert pod()["enableServiceLinks"] is False


def test_the_pod_gets_no_key_to_the_cluster() -> None:
    assert pod()["automountServiceAccountToken"] is False


def test_clients_name_the_deployment_as_the_model() -> None:
    assert argument("--served-model-name") == "opt-125m"


@pytest.mark.parametrize(
    ("count", "given", "tensor"),
    [(1, (), "1"), (4, (), "4"), (4, ("-pp", "2"), "2"), (4, ("-dp=2", "-pp=2"), "1")],
)
def test_the_model_is_split_over_the_gpus_that_are_left(
    count: int, given: tuple[str, ...], tensor: str
) -> None:
    wanted = replace(gpus(count), engine=replace(SIMPLEST.engine, arguments=given))
    assert argument("--tensor-parallel-size", wanted) == tensor


@pytest.mark.parametrize(
    "given", [("--tensor-parallel-size", "4"), ("-tp=4",), ("--tensor_parallel_size=4",)]
)
def test_a_tensor_size_that_is_given_is_not_given_again(given: tuple[str, ...]) -> None:
    wanted = replace(gpus(4), engine=replace(SIMPLEST.engine, arguments=given))
    assert arguments(wanted)[-len(given) :] == list(given)
    assert sum("tensor" in a or a.startswith("-tp") for a in arguments(wanted)) == 1


def test_usage_is_always_reported() -> None:
    assert {"--enable-force-include-usage", "--enable-prompt-tokens-details"} <= set(arguments())


def test_a_stop_leaves_time_to_finish_answers() -> None:
    drain = int(argument("--shutdown-timeout"))
    assert container()["lifecycle"]["preStop"]["exec"]["command"] == ["/bin/sleep", str(FORGET)]
    assert drain > 0
    assert pod()["terminationGracePeriodSeconds"] > FORGET + drain


@pytest.mark.parametrize("seconds", ["90", "5400", None])
def test_vllm_gives_up_before_kubernetes_does(seconds: str | None) -> None:
    given = (Variable("VLLM_ENGINE_READY_TIMEOUT_S", seconds),) if seconds else ()
    wanted = spec(environment=given)
    probe = container(wanted)["startupProbe"]
    patience = int(variables(wanted)["VLLM_ENGINE_READY_TIMEOUT_S"])
    assert seconds is None or patience == int(seconds)
    assert patience < probe["periodSeconds"] * probe["failureThreshold"] <= patience + 120


@pytest.mark.parametrize(
    ("parameters", "budget"),
    [(None, 3600), (125_000_000, 1800), (8_000_000_000, 1800), (70_000_000_000, 7200)],
)
def test_larger_weights_have_longer_to_load(parameters: int | None, budget: int) -> None:
    sizing = SizingFacts(parameters=parameters, bits_per_parameter=16)
    assert start_budget(SIMPLEST, replace(OPT, sizing=sizing)) == budget
    assert start_budget(SIMPLEST, replace(OPT, sizing=SizingFacts(10**13, 16))) == BUDGETS[-1]


@pytest.mark.parametrize("value", ["soon", "", "-5", "1e4", "٣٦٠٠", "9" * 30])
def test_a_budget_that_is_no_number_of_seconds_is_not_believed(value: str) -> None:
    assert start_budget(spec(environment=(Variable("VLLM_ENGINE_READY_TIMEOUT_S", value),)), OPT) == 3600


def test_caches_land_on_the_volume() -> None:
    at = next(m["mountPath"] for m in container()["volumeMounts"] if m["name"] == "data")
    assert all(variables()[name].startswith(f"{at}/") for name in ("HOME", "HF_HOME", "VLLM_CACHE_ROOT"))


def test_nothing_is_reported_to_the_makers() -> None:
    assert variables().items() >= {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}.items()


@pytest.mark.parametrize(
    ("count", "limit", "size"),
    [(1, "48Gi", 2 * GIBI), (2, "48Gi", 8 * GIBI), (8, "8Gi", 4 * GIBI), (1, "1Mi", MEBI)],
)
def test_shared_memory_stays_inside_the_memory_limit(count: int, limit: str, size: int) -> None:
    assert shared_memory(Resources(memory_limit=limit, gpu=Gpu(count=count))) == size


def test_gpus_stand_in_the_limits_only() -> None:
    resources = container(gpus(2))["resources"]
    assert resources["limits"]["nvidia.com/gpu"] == "2"
    assert "nvidia.com/gpu" not in resources["requests"]


def test_without_gpus_nothing_is_asked_for_them() -> None:
    assert "tolerations" not in pod(gpus(0))
    assert set(container(gpus(0))["resources"]["limits"]) == {"cpu", "memory"}


def test_a_product_chooses_the_nodes() -> None:
    assert pod(gpus(1, product="NVIDIA-L40S"))["nodeSelector"] == {"nvidia.com/gpu.product": "NVIDIA-L40S"}


def test_the_toleration_follows_the_vendor() -> None:
    assert pod(gpus(1, resource="amd.com/gpu"))["tolerations"][0]["key"] == "amd.com/gpu"
    assert pod(gpus(1, resource="nvidia.com/mig-1g.10gb"))["tolerations"][0]["key"] == "nvidia.com/gpu"


def test_the_autoscaler_owns_the_number_of_replicas() -> None:
    wanted = spec(autoscaling=Autoscaling(enabled=True))
    assert "replicas" not in workload(wanted)["spec"]
    assert "HorizontalPodAutoscaler" in kinds(wanted)


def test_a_stopped_deployment_keeps_everything_but_its_pods_and_its_autoscaler() -> None:
    wanted = spec(autoscaling=Autoscaling(enabled=True))
    stopped = workload(wanted, context(stopped=True))
    assert stopped["spec"]["replicas"] == 0
    assert stopped["spec"]["template"] == workload(wanted)["spec"]["template"]
    assert [k for k in kinds(wanted) if k != "HorizontalPodAutoscaler"] == kinds(
        wanted, context(stopped=True)
    )


def test_a_revision_of_limits_prices_and_texts_restarts_no_pod() -> None:
    from decimal import Decimal

    later = spec(
        description="For everyone",
        rate_limits=RateLimits(user=Limit(1000, 10)),
        pricing=Pricing("USD", Decimal("0.15"), Decimal("0.6")),
        sharing=SharingSpec(Sharing.ALL),
    )
    before, after = render(SIMPLEST, CONTEXT), render(later, context(revision=2))
    changed = [(one, two) for one, two in zip(before, after, strict=True) if one != two]
    assert [one["kind"] for one, _ in changed] == ["StatefulSet"]
    assert changed[0][0]["spec"] == changed[0][1]["spec"]
    assert changed[0][1]["metadata"]["labels"][naming.REVISION_LABEL] == "2"


def checksum(
    secret: str, key: bytes = b"key", wanted: tuple[Variable, ...] = (Variable("A", secret=True),)
) -> str | None:
    given = context(secret_values={"A": secret}, checksum_key=key)
    about = workload(spec(environment=wanted), given)["spec"]["template"]["metadata"]
    return about.get("annotations", {}).get(naming.SECRETS_ANNOTATION)


def test_a_changed_secret_restarts_the_pods() -> None:
    assert checksum("one") == checksum("one") != checksum("two")


def test_the_checksum_of_secrets_cannot_be_guessed_without_the_key() -> None:
    assert checksum("one") != checksum("one", b"another key")
    assert checksum("one", b"") is None


def test_values_of_secrets_stand_in_secrets_only() -> None:
    given = context(
        secret_values={"A": "hush-variable", "UNUSED": "hush-unused"},
        checksum_key=b"hush-key",
        weights_token="hush-token",
        registry_credentials="hush-registry",
    )
    objects = render(spec(environment=(Variable("A", secret=True),)), given)
    assert "hush" not in str([made for made in objects if made["kind"] != "Secret"])
    assert "hush" not in repr(given)
    names = [made["metadata"]["name"] for made in objects if made["kind"] == "Secret"]
    assert names == ["md-opt-125m--env", "md-opt-125m--weights", "md-opt-125m--registry"]


def test_a_secret_without_a_value_is_referred_to_and_not_made() -> None:
    wanted = spec(environment=(Variable("A", secret=True),))
    assert "Secret" not in kinds(wanted)
    assert variables(wanted)["A"] == {"secretKeyRef": {"name": "md-opt-125m--env", "key": "A"}}


def test_a_token_among_the_variables_counts_instead_of_the_catalogue_s() -> None:
    wanted = spec(environment=(Variable("HF_TOKEN", secret=True),))
    assert (
        variables(wanted, context(weights_token="t"))["HF_TOKEN"]["secretKeyRef"]["name"]
        == "md-opt-125m--env"
    )


def test_a_new_token_for_weights_restarts_no_pod() -> None:
    one, two = context(weights_token="one"), context(weights_token="two")
    assert workload(SIMPLEST, one) == workload(SIMPLEST, two)


@pytest.mark.parametrize("use_case", [UseCase.EMBEDDING, UseCase.RERANK])
def test_models_that_give_vectors_or_scores_run_as_pooling_models(use_case: UseCase) -> None:
    assert argument("--runner", SIMPLEST, source(use_case=use_case)) == "pooling"
    assert arguments(engine(arguments=("--runner", "auto")), source(use_case=use_case)).count("--runner") == 1


def test_weights_in_a_bucket_are_streamed() -> None:
    given = source(kind=SourceKind.OBJECT_STORAGE, reference="s3://weights/opt")
    assert arguments(SIMPLEST, given)[0] == "s3://weights/opt"
    assert argument("--load-format", SIMPLEST, given) == "runai_streamer"
    assert arguments(engine(arguments=("--load_format=x",)), given).count("--load-format") == 0


@pytest.mark.parametrize(
    ("reference", "claim", "path"),
    [
        ("weights", "weights", "/weights"),
        ("weights/opt/125m", "weights", "/weights/opt/125m"),
        ("pvc://models//llama/", "models", "/weights/llama"),
    ],
)
def test_weights_on_a_claim_are_mounted_read_only(reference: str, claim: str, path: str) -> None:
    given = source(kind=SourceKind.VOLUME, reference=reference)
    assert arguments(SIMPLEST, given)[0] == path
    volume = next(v for v in pod(SIMPLEST, given)["volumes"] if v["name"] == "weights")
    assert volume["persistentVolumeClaim"] == {"claimName": claim, "readOnly": True}
    assert {"name": "weights", "mountPath": "/weights", "readOnly": True} in container(SIMPLEST, given)[
        "volumeMounts"
    ]


@pytest.mark.parametrize("reference", ["", "/opt", "pvc://", "weights/../../etc"])
def test_a_reference_that_names_no_claim_is_refused(reference: str) -> None:
    with pytest.raises(EngineNotOffered, match="is not a volume"):
        render(SIMPLEST, source(kind=SourceKind.VOLUME, reference=reference))


def test_vllm_cannot_run_an_ngc_image() -> None:
    with pytest.raises(EngineNotOffered, match="NGC"):
        render(SIMPLEST, source(kind=SourceKind.NGC, reference="nvcr.io/nim/meta/llama:1"))


def test_streams_are_not_cut_by_a_route() -> None:
    route = render(SIMPLEST, context(exposure=GATEWAY))[-1]
    assert route["spec"]["rules"][0]["timeouts"] == {"request": "0s", "backendRequest": "0s"}
    ingress = render(SIMPLEST, context(exposure=INGRESS))[-1]
    annotations = ingress["metadata"]["annotations"]
    assert annotations["nginx.ingress.kubernetes.io/proxy-read-timeout"] == "3600"
    assert annotations["nginx.ingress.kubernetes.io/proxy-buffering"] == "off"


def test_deployments_of_one_endpoint_have_paths_of_their_own() -> None:
    paths = {
        render(spec(name=name), context(exposure=GATEWAY))[-1]["spec"]["rules"][0]["matches"][0]["path"][
            "value"
        ]
        for name in ("chat", "code")
    }
    assert paths == {"/chat/v1", "/code/v1"}


def test_claim_templates_hold_nothing_that_an_edit_changes() -> None:
    edited = replace(
        engine(tag="v0.34.0", arguments=("--enforce-eager",)),
        description="New",
        resources=Resources(cpu_limit="9"),
    )
    one, two = workload(), workload(edited, context(revision=7))
    for fixed in ("volumeClaimTemplates", "selector", "serviceName", "podManagementPolicy"):
        assert one["spec"][fixed] == two["spec"][fixed]

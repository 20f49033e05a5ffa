"""The decisions behind NIM's objects, one by one."""

import base64
import json
import shlex
from dataclasses import replace
from typing import Any

import pytest

from deployments import naming
from deployments.context import PLAIN_KUBERNETES, ModelSource, RenderContext
from deployments.manifests import EngineNotOffered, Manifest, render
from deployments.spec import (
    Autoscaling,
    DeploymentSpec,
    Limit,
    NimSpec,
    RateLimits,
    Resources,
    SharingSpec,
    Variable,
)
from deployments.vocabulary import ScalingMetric, Sharing, SourceKind
from tests.deployments.manifests.cases import GATEWAY, INGRESS, SIMPLEST, engine
from tests.deployments.manifests.cases import context as vllm_context
from tests.deployments.manifests.nim_cases import CONTEXT, KEY, NIM, SCALING, SOURCE, given, nim, operated


def made(kind: str, wanted: DeploymentSpec = NIM, context: RenderContext = CONTEXT) -> Manifest:
    return next(found for found in render(wanted, context) if found["kind"] == kind)


def pod(wanted: DeploymentSpec = NIM, context: RenderContext = CONTEXT) -> Manifest:
    return made("StatefulSet", wanted, context)["spec"]["template"]["spec"]


def variables(wanted: DeploymentSpec = NIM, context: RenderContext = CONTEXT) -> dict[str, Any]:
    env = pod(wanted, context)["containers"][0]["env"]
    return {v["name"]: v.get("value", v.get("valueFrom")) for v in env}


def service(wanted: DeploymentSpec | None = None, context: RenderContext = CONTEXT) -> Manifest:
    return made("NIMService", wanted or operated(), context)


def kinds(wanted: DeploymentSpec, context: RenderContext = CONTEXT) -> list[str]:
    return [found["kind"] for found in render(wanted, context)]


def test_the_image_starts_itself() -> None:
    container = pod()["containers"][0]
    assert "command" not in container
    assert "args" not in container


def test_clients_name_the_deployment_as_the_model() -> None:
    assert variables()["NIM_SERVED_MODEL_NAME"] == "llama-8b"


def test_the_cache_is_on_the_volume_and_writable_for_the_user_of_the_image() -> None:
    mounts = {m["name"]: m["mountPath"] for m in pod()["containers"][0]["volumeMounts"]}
    assert variables()["NIM_CACHE_PATH"] == mounts["data"]
    security = pod()["securityContext"]
    assert (security["runAsUser"], security["fsGroup"]) == (1000, 1000)


def test_the_key_is_a_secret_and_stands_nowhere_else() -> None:
    objects = render(NIM, CONTEXT)
    assert variables()["NGC_API_KEY"] == {"secretKeyRef": {"name": "md-llama-8b--ngc", "key": "NGC_API_KEY"}}
    assert KEY not in str(objects)
    assert KEY not in repr(CONTEXT)


def test_the_key_logs_in_at_nvidia_s_registry() -> None:
    secret = next(
        found
        for found in render(NIM, CONTEXT)
        if found["metadata"]["name"] == naming.registry_secret("llama-8b")
    )
    assert secret["type"] == "kubernetes.io/dockerconfigjson"
    login = json.loads(base64.b64decode(secret["data"][".dockerconfigjson"]))["auths"]["nvcr.io"]
    assert (login["username"], login["password"]) == ("$oauthtoken", KEY)
    assert base64.b64decode(login["auth"]).decode() == f"$oauthtoken:{KEY}"
    assert pod()["imagePullSecrets"] == [{"name": "md-llama-8b--registry"}]


def test_a_key_is_not_sent_to_another_registry() -> None:
    mirrored = nim(image="registry.example.com/llama")
    assert "imagePullSecrets" not in pod(mirrored)
    assert pod(mirrored, given(pull_secret="mirror"))["imagePullSecrets"] == [{"name": "mirror"}]


def test_any_engine_s_image_of_nvidia_is_pulled_with_the_key() -> None:
    vllm = engine(image="nvcr.io/nvidia/vllm", tag="25.09-py3")
    objects = render(vllm, vllm_context(ngc_key=KEY))
    assert [o["metadata"]["name"] for o in objects if o["kind"] == "Secret"] == ["md-opt-125m--registry"]
    assert "Secret" not in [o["kind"] for o in render(SIMPLEST, vllm_context(ngc_key=KEY))]


def test_without_a_key_nothing_asks_for_one() -> None:
    keyless = given(ngc_key=None)
    assert "NGC_API_KEY" not in variables(NIM, keyless)
    assert "Secret" not in kinds(NIM, keyless)


def test_a_chosen_profile_is_used() -> None:
    assert "NIM_MODEL_PROFILE" not in variables()
    assert (
        variables(nim(nim=NimSpec(profile="vllm-bf16-tp1-pp1")))["NIM_MODEL_PROFILE"] == "vllm-bf16-tp1-pp1"
    )


def test_arguments_reach_the_engine_inside_one_by_one() -> None:
    arguments = ("--max-num-seqs", "32", "--chat-template", "it's $HOME")
    written = variables(nim(arguments=arguments))["NIM_PASSTHROUGH_ARGS"]
    assert tuple(shlex.split(written)) == arguments


def test_nim_1_takes_no_arguments() -> None:
    with pytest.raises(EngineNotOffered, match="takes no engine arguments"):
        render(nim(tag="1.8.3", arguments=("--max-num-seqs", "32")), CONTEXT)


@pytest.mark.parametrize(
    ("image", "tag", "name"),
    [
        ("nvcr.io/nim/nvidia/model-free-nim-pb6", "2.0.4-pb6.0", "NIM_MODEL_PATH"),
        ("nvcr.io/nim/nvidia/llm-nim", "1.15.0", "NIM_MODEL_NAME"),
    ],
)
def test_an_image_for_any_model_is_told_which(image: str, tag: str, name: str) -> None:
    hub = given(source=ModelSource("meta-llama/Llama-3.1-8B-Instruct"))
    assert variables(nim(image=image, tag=tag), hub)[name] == "hf://meta-llama/Llama-3.1-8B-Instruct"
    assert name not in variables(NIM, hub)


@pytest.mark.parametrize(
    ("wanted", "source", "reason"),
    [
        (nim(image=""), ModelSource("facebook/opt-125m"), "has no NGC image"),
        (NIM, ModelSource("weights", kind=SourceKind.VOLUME), "from NGC or from Hugging Face"),
        (NIM, ModelSource("s3://weights", kind=SourceKind.OBJECT_STORAGE), "from NGC or from Hugging Face"),
        (nim(image="nvcr.io/nim/nvidia/llm-nim", tag="1.15.0"), SOURCE, "Leave the image empty"),
        (
            nim(image="nvcr.io/nim/nvidia/llm-nim", tag="1.15.0"),
            ModelSource("facebook/opt-125m", revision="main"),
            "pinned revision",
        ),
    ],
)
def test_what_cannot_run_says_what_to_do(wanted: DeploymentSpec, source: ModelSource, reason: str) -> None:
    with pytest.raises(EngineNotOffered, match=reason):
        render(wanted, given(source=source))


def test_the_image_of_the_model_fills_an_empty_one() -> None:
    assert render(nim(image=""), CONTEXT) == render(NIM, CONTEXT)


@pytest.mark.parametrize("probe", ["startupProbe", "readinessProbe"])
def test_a_replica_is_asked_whether_it_is_ready_and_whether_it_lives(probe: str) -> None:
    container = pod()["containers"][0]
    assert container[probe]["httpGet"]["path"] == "/v1/health/ready"
    assert container["livenessProbe"]["httpGet"]["path"] == "/v1/health/live"


def test_the_engine_inside_gives_up_before_kubernetes_does() -> None:
    probe = pod()["containers"][0]["startupProbe"]
    assert (
        int(variables()["VLLM_ENGINE_READY_TIMEOUT_S"]) < probe["periodSeconds"] * probe["failureThreshold"]
    )


def test_a_restart_makes_new_pods_and_nothing_else() -> None:
    asked = given(restarted_at="2026-11-23T10:00:00+00:00")
    one, two = made("StatefulSet"), made("StatefulSet", NIM, asked)
    assert two["spec"]["template"]["metadata"].pop("annotations") == {
        naming.RESTARTED_ANNOTATION: asked.restarted_at
    }
    assert one == two


# By NVIDIA's operator


def test_the_operator_makes_services_and_autoscaler_itself() -> None:
    assert kinds(operated(autoscaling=SCALING)) == ["Secret", "Secret", "NIMService"]


@pytest.mark.parametrize("exposure", [GATEWAY, INGRESS])
def test_the_operator_finds_no_route_of_its_own_name_to_delete(exposure: Any) -> None:
    objects = render(operated(), given(exposure=exposure))
    assert [o["kind"] for o in objects if o["metadata"]["name"] == "md-llama-8b"] == ["NIMService"]


@pytest.mark.parametrize(
    ("wanted", "context", "reason"),
    [
        (operated(), given(offers=PLAIN_KUBERNETES), "has no NIM Operator"),
        (operated(), given(ngc_key=None), "needs an NGC key"),
        (
            operated(engine=replace(operated().engine, tag="sha256:" + "1" * 64)),
            CONTEXT,
            "takes a tag and no digest",
        ),
        (
            operated(autoscaling=replace(SCALING, metric=ScalingMetric.KV_CACHE)),
            CONTEXT,
            "CPU or memory only",
        ),
    ],
)
def test_what_the_operator_cannot_do_says_what_to_do(
    wanted: DeploymentSpec, context: RenderContext, reason: str
) -> None:
    with pytest.raises(EngineNotOffered, match=reason):
        render(wanted, context)


def test_one_replica_has_a_volume_to_itself_and_several_share_it() -> None:
    def mode(wanted: DeploymentSpec) -> str:
        return service(wanted)["spec"]["storage"]["pvc"]["volumeAccessMode"]

    assert mode(operated()) == "ReadWriteOnce"
    assert mode(operated(engine=replace(operated().engine, replicas=2))) == "ReadWriteMany"
    assert mode(operated(autoscaling=Autoscaling(enabled=True))) == "ReadWriteMany"


def test_the_number_of_replicas_and_the_autoscaler_exclude_each_other() -> None:
    assert service()["spec"]["replicas"] == 1
    scaled = service(operated(autoscaling=SCALING))["spec"]
    assert "replicas" not in scaled
    assert (scaled["scale"]["hpa"]["minReplicas"], scaled["scale"]["hpa"]["maxReplicas"]) == (2, 4)
    stopped = service(operated(autoscaling=SCALING), given(stopped=True))["spec"]
    assert (stopped["replicas"], "scale" in stopped) == (0, False)


def template(wanted: DeploymentSpec, context: RenderContext = CONTEXT) -> str:
    found = service(wanted, context)
    label = found["metadata"]["labels"][naming.TEMPLATE_LABEL]
    assert found["spec"]["labels"][naming.TEMPLATE_LABEL] == label
    return str(label)


@pytest.mark.parametrize(
    ("wanted", "context"),
    [
        (operated(description="New", sharing=SharingSpec(Sharing.ALL)), CONTEXT),
        (operated(rate_limits=RateLimits(user=Limit(1000, 10))), given(revision=7)),
        (operated(engine=replace(operated().engine, replicas=3, volume="200Gi")), CONTEXT),
        (operated(autoscaling=SCALING), CONTEXT),
        (operated(), given(stopped=True)),
        (operated(), given(exposure=GATEWAY)),
    ],
)
def test_what_concerns_no_pod_leaves_the_template_as_it_is(
    wanted: DeploymentSpec, context: RenderContext
) -> None:
    assert template(wanted, context) == template(operated())


@pytest.mark.parametrize(
    ("wanted", "context"),
    [
        (operated(engine=replace(operated().engine, tag="2.0.2")), CONTEXT),
        (operated(environment=(Variable("NIM_MAX_MODEL_LEN", "1"),)), CONTEXT),
        (operated(resources=Resources(memory_limit="8Gi")), CONTEXT),
        (operated(), given(restarted_at="2026-11-23T10:00:00+00:00")),
        (operated(), given(pull_secret="mirror")),
    ],
)
def test_what_pods_are_made_from_makes_another_template(
    wanted: DeploymentSpec, context: RenderContext
) -> None:
    assert template(wanted, context) != template(operated())


def test_what_the_operator_makes_does_not_pass_for_ours() -> None:
    assert naming.MANAGED_BY_LABEL not in service()["spec"]["labels"]
    assert service()["spec"]["labels"][naming.DEPLOYMENT_LABEL] == "llama-8b"

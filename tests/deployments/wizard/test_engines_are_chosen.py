"""Each engine has its own fields; another one can be picked without losing what was typed, with a script or without."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from deployments.facts import Addons
from deployments.models import CatalogModel, Cluster, Draft, Endpoint
from deployments.vocabulary import SourceKind
from tests.deployments.wizard.conftest import ENGINE, FACTS, variables

At = Callable[[str], str]

VLLM = {**ENGINE, "shown": "vllm"}
NIM = {
    "kind": "nim",
    "shown": "nim",
    "image": "nvcr.io/nim/meta/llama-3.1-8b-instruct",
    "tag": "2.0.3",
    "replicas": "1",
    "volume": "100Gi",
    "profile": "",
    "runner": "pods",
    "arguments": "",
}
DYNAMO = {
    "kind": "dynamo",
    "shown": "dynamo",
    "image": "nvcr.io/nvidia/ai-dynamo/vllm-runtime",
    "tag": "1.4.0",
    "mode": "aggregated",
    "backend": "vllm",
    "replicas": "2",
    "volume": "100Gi",
    "prefill_replicas": "1",
    "prefill_gpus": "",
    "decode_replicas": "2",
    "decode_gpus": "4",
    "arguments": "",
}


def section(draft: Draft) -> dict[str, Any]:
    draft.refresh_from_db()
    found: dict[str, Any] = draft.sections["engine"]
    return found


def offer(**addons: Any) -> None:
    Cluster.objects.update(facts=replace(FACTS, addons=Addons(gateway_api=True, **addons)).to_mapping())


def test_all_three_can_be_picked(web: Client, at: At) -> None:
    page = web.get(at("engine")).text
    for kind in ("vllm", "nim", "dynamo"):
        card = page.partition(f'value="{kind}"')[2].partition(">")[0]
        assert "disabled" not in card
    assert "Needs an NVIDIA AI Enterprise licence" in page
    assert (
        "Install the Dynamo platform: its operator serves DynamoGraphDeployment. It is not on osl-1." in page
    )


def test_a_cluster_with_the_platform_has_nothing_to_install(web: Client, at: At) -> None:
    offer(dynamo=True, dynamo_versions=("v1beta1",))
    assert "Install the Dynamo platform" not in web.get(at("engine")).text


@pytest.mark.parametrize("action", ["fields", "continue", "save"])
def test_another_engine_brings_its_fields_and_keeps_those_of_the_first(
    web: Client, draft: Draft, at: At, action: str
) -> None:
    typed = {**VLLM, "tag": "v0.32.0", "replicas": "3", "volume": "200Gi", "arguments": "--seed 1"}
    answer = web.post(at("engine"), {**typed, "kind": "nim", "action": action})
    assert answer.status_code == 200
    assert 'name="profile"' in answer.text
    assert "what you typed for vLLM is kept" in answer.text
    now = section(draft)
    assert (now["kind"], now["replicas"], now["volume"]) == ("nim", "3", "200Gi")
    assert "engine" not in draft.done
    back = web.post(at("engine"), {**NIM, "profile": "abc", "kind": "vllm", "action": "fields"})
    assert "--seed 1" in back.text
    now = section(draft)
    assert (now["kind"], now["tag"], now["arguments"], now["replicas"]) == (
        "vllm",
        "v0.32.0",
        ["--seed", "1"],
        "1",
    )
    web.post(at("engine"), {**VLLM, "kind": "nim", "action": "fields"})
    assert section(draft)["profile"] == "abc"


def test_resources_and_environment_stay_when_the_engine_changes(web: Client, draft: Draft, at: At) -> None:
    web.post(at("environment"), variables({"name": "TEAM", "value": "a"}))
    before = Draft.objects.get().sections
    web.post(at("engine"), {**VLLM, "kind": "dynamo", "action": "fields"})
    after = Draft.objects.get().sections
    assert [after[slug] for slug in ("resources", "environment")] == [
        before[slug] for slug in ("resources", "environment")
    ]


def test_back_goes_back_although_another_engine_was_picked(web: Client, draft: Draft, at: At) -> None:
    answer = web.post(at("engine"), {**VLLM, "kind": "nim", "action": "back"})
    assert answer.status_code == 302
    assert section(draft)["kind"] == "nim"


def test_a_nim_is_kept_and_goes_on(web: Client, draft: Draft, at: At) -> None:
    web.post(at("engine"), {**VLLM, "kind": "nim", "action": "fields"})
    answer = web.post(at("engine"), {**NIM, "profile": "vllm-bf16-tp1", "action": "continue"})
    assert answer.url == at("resources")
    assert section(draft)["profile"] == "vllm-bf16-tp1"
    assert "NIM needs a licence" in web.get(at("engine")).text


@pytest.mark.parametrize(
    ("owner", "sentence"), [("model", "The model brings its NGC key."), ("cluster", "osl-1 has an NGC key.")]
)
def test_the_page_of_nim_says_whose_key_it_uses(web: Client, at: At, owner: str, sentence: str) -> None:
    web.post(at("engine"), {**VLLM, "kind": "nim", "action": "fields"})
    assert "Neither the model nor osl-1 has an NGC key." in web.get(at("engine")).text
    table = CatalogModel if owner == "model" else Cluster
    table.objects.update(ngc_key="x", ngc_key_set_at=timezone.now())
    assert sentence in web.get(at("engine")).text


def test_the_nim_operator_is_greyed_with_the_reason_where_it_is_missing(web: Client, at: At) -> None:
    web.post(at("engine"), {**VLLM, "kind": "nim", "action": "fields"})
    page = web.get(at("engine")).text
    assert "The NIM Operator is not installed on osl-1." in page
    assert "disabled" in page.partition('value="operator"')[2].partition(">")[0]
    offer(nim=True)
    assert "disabled" not in web.get(at("engine")).text.partition('value="operator"')[2].partition(">")[0]


def test_a_model_of_ngc_begins_as_a_nim(web: Client, model: CatalogModel, endpoint: Endpoint) -> None:
    CatalogModel.objects.update(
        source_kind=SourceKind.NGC, source_reference="nvcr.io/nim/meta/llama-3.1-8b-instruct"
    )
    web.post("/models/opt-125m/deploy/", {"name": "chat", "description": "", "endpoint": "main"})
    draft = Draft.objects.get()
    assert section(draft)["kind"] == "nim"
    page = web.get(f"/drafts/{draft.pk}/engine/").text
    assert "nvcr.io/nim/meta/llama-3.1-8b-instruct" in page
    assert "The newest one known here is" in page


@pytest.mark.parametrize(
    ("typed", "backend", "image"),
    [
        (
            "nvcr.io/nvidia/ai-dynamo/vllm-runtime",
            "sglang",
            "nvcr.io/nvidia/ai-dynamo/sglang-runtime",
        ),
        ("", "trtllm", "nvcr.io/nvidia/ai-dynamo/tensorrtllm-runtime"),
        ("registry.example.com/dynamo", "sglang", "registry.example.com/dynamo"),
    ],
)
def test_the_image_of_dynamo_follows_its_backend_unless_it_was_edited(
    web: Client, draft: Draft, at: At, typed: str, backend: str, image: str
) -> None:
    web.post(at("engine"), {**VLLM, "kind": "dynamo", "action": "fields"})
    answer = web.post(at("engine"), {**DYNAMO, "image": typed, "backend": backend, "action": "fields"})
    assert answer.status_code == 200
    assert f'value="{image}"' in answer.text
    assert section(draft)["image"] == image


def test_workers_apart_have_numbers_and_gpus_of_their_own(web: Client, draft: Draft, at: At) -> None:
    web.post(at("engine"), {**VLLM, "kind": "dynamo", "action": "fields"})
    answer = web.post(at("engine"), {**DYNAMO, "mode": "disaggregated", "action": "continue"})
    assert answer.url == at("resources")
    assert section(draft)["workers"] == {"prefill": "1", "decode": {"replicas": "2", "gpus": "4"}}
    page = web.get(at("engine")).text
    assert 'name="decode_gpus" value="4"' in page
    web.post(at("engine"), {**DYNAMO, "action": "continue"})
    assert "workers" not in section(draft)


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("prefill_replicas", "0", "0 is out of range"),
        ("decode_gpus", "many", "is not a whole number of GPUs per worker"),
        ("mode", "sideways", "is not known"),
        ("backend", "sideways", "is not known"),
        ("arguments", "--model x", "The model comes from the catalogue entry."),
    ],
)
def test_a_mistake_in_dynamos_fields_stands_beside_its_field(
    web: Client, at: At, field: str, value: str, sentence: str
) -> None:
    web.post(at("engine"), {**VLLM, "kind": "dynamo", "action": "fields"})
    sent = {**DYNAMO, "mode": "disaggregated", field: value, "action": "continue"}
    answer = web.post(at("engine"), sent)
    assert answer.status_code == 422
    beside = answer.context["form"].errors[field]
    assert sentence in " ".join(beside)


def test_dynamo_without_its_operator_stops_only_at_the_preflight(web: Client, draft: Draft, at: At) -> None:
    web.post(at("engine"), {**VLLM, "kind": "dynamo", "action": "fields"})
    assert web.post(at("engine"), {**DYNAMO, "action": "continue"}).status_code == 302
    page = web.get(at("review")).text
    assert "The cluster has no Dynamo operator" in page
    assert "Install the Dynamo platform: its operator serves DynamoGraphDeployment." in page
    answer = web.post(at("review"), {"action": "deploy"})
    assert answer.status_code == 422
    assert Draft.objects.get().result is None


def test_variables_are_judged_for_the_chosen_engine(web: Client, at: At) -> None:
    row = variables({"name": "NIM_CACHE_PATH", "value": "/x"})
    assert web.post(at("environment"), {**row, "action": "continue"}).status_code == 302
    web.post(at("engine"), {**VLLM, "kind": "nim", "action": "fields"})
    answer = web.post(at("environment"), {**row, "action": "continue"})
    assert answer.status_code == 422
    assert "NIM_CACHE_PATH: " in answer.text
    page = web.get(at("environment")).text
    assert "<code>NIM_SERVER_PORT</code>" in page
    assert "<code>DYN_" not in page


@pytest.mark.parametrize("kind", ["docker", "NIM", "\u0000"])
def test_an_engine_that_is_none_is_refused(web: Client, at: At, kind: str) -> None:
    answer = web.post(at("engine"), {**VLLM, "kind": kind, "action": "continue"})
    assert answer.status_code == 422
    assert "is not known" in " ".join(answer.context["form"].errors["kind"])


def test_without_a_choice_the_engine_stays(web: Client, draft: Draft, at: At) -> None:
    assert web.post(at("engine"), {**VLLM, "kind": "", "action": "continue"}).status_code == 302
    assert section(draft)["kind"] == "vllm"

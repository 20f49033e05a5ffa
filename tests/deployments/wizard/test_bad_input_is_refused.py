"""Every value that cannot be used gives 422, a sentence beside its field, and what was typed."""

from html import unescape

import pytest
from django.test import Client
from django.urls import reverse

from deployments.models import CatalogModel, Deployment, Draft, Endpoint
from tests.deployments.wizard.conftest import AUTOSCALING, ENGINE, PRICING, RESOURCES, VALID, variables

HUGE = "9" * 400


def refused(response, field: str, sentence: str, typed: str | None = None) -> None:
    page = unescape(response.content.decode())
    assert response.status_code == 422, page
    assert f'href="#{field}"' in page, "the summary leads to the field"
    beside = page.split(f'id="{field}_error"', 1)
    assert len(beside) == 2, f"no sentence beside {field}"
    assert sentence in beside[1].split("</p>", 1)[0]
    if typed is not None:
        assert f'value="{typed}"' in page or f">\n{typed}</textarea>" in page


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("", "A value is needed here."),
        ("Chat", "is not a DNS label"),
        ("-chat", "is not a DNS label"),
        ("chat_eu", "is not a DNS label"),
        ("a" * 49, "49 characters are too long"),
        ("taken", "There is a deployment taken already."),
        ("chät", "is not a DNS label"),
        ("chat\x00", "Control characters are not allowed here."),
    ],
)
def test_a_name_that_cannot_be_used(
    web: Client, model: CatalogModel, endpoint: Endpoint, name: str, sentence: str
) -> None:
    Deployment.objects.create(name="taken", model=model, endpoint=endpoint)
    url = reverse("model_deploy", args=[model.slug])
    response = web.post(url, {"name": name, "endpoint": "main"})
    refused(response, "id_name", sentence, name.replace("\x00", "\N{REPLACEMENT CHARACTER}"))
    assert not Draft.objects.exists()


@pytest.mark.parametrize("typed", ["", "elsewhere", "main\x00"])
def test_an_endpoint_that_is_not_there(
    web: Client, model: CatalogModel, endpoint: Endpoint, typed: str
) -> None:
    response = web.post(reverse("model_deploy", args=[model.slug]), {"name": "chat", "endpoint": typed})
    assert response.status_code == 422
    assert 'id="id_endpoint_error"' in response.content.decode()


def test_a_description_with_a_nul_or_of_great_length(
    web: Client, model: CatalogModel, endpoint: Endpoint
) -> None:
    url = reverse("model_deploy", args=[model.slug])
    for text, sentence in (("a\x00b", "Control characters"), ("a" * 501, "501 characters are too long")):
        response = web.post(url, {"name": "chat", "endpoint": "main", "description": text})
        refused(response, "id_description", sentence)


@pytest.mark.parametrize(
    ("step", "field", "typed", "sentence"),
    [
        ("engine", "tag", "", "A value is needed here."),
        ("engine", "tag", "v1 2", "is not an image tag"),
        ("engine", "image", "vllm/vllm-openai:v1", "has a tag or digest"),
        ("engine", "image", "UPPER CASE", "is not an image name"),
        ("engine", "replicas", "0", "0 is out of range"),
        ("engine", "replicas", "-1", "-1 is out of range"),
        ("engine", "replicas", "1.5", "is not a whole number"),
        ("engine", "replicas", HUGE, "is not a whole number"),
        ("engine", "replicas", "99999999999999999999", "is out of range"),
        ("engine", "replicas", "١", "is not a whole number"),
        ("engine", "volume", "1Gb", "is not a quantity"),
        ("engine", "volume", "-1", "is not a quantity"),
        ("engine", "volume", "1e9Gi", "is not a quantity"),
        ("engine", "arguments", '--max-model-len "8192', "Line 1: a quotation mark is not closed"),
        ("engine", "arguments", "--max-model-len 8192\n--port 9000", "Line 2: --port cannot be set here"),
        ("engine", "arguments", "--x \x01", "Line 1: Control characters"),
        ("resources", "memory_request", "1Gb", "is not a quantity"),
        ("resources", "memory_limit", "1Gi", "is below the request of 16Gi"),
        ("resources", "memory_limit", "1e9Gi", "is not a quantity"),
        ("resources", "cpu_request", "-1", "is not a quantity"),
        ("resources", "cpu_request", "0.00001", "is out of range"),
        ("resources", "cpu_limit", "2", "2 is below the request of 4"),
        ("resources", "cpu_limit", HUGE, "characters are too long"),
        ("resources", "gpu_count", "17", "17 is out of range"),
        ("resources", "gpu_count", "one", "is not a whole number"),
        ("resources", "gpu_resource", "gpu", "is not a resource name"),
        ("autoscaling", "threshold_cpu", "0", "0 is out of range"),
        ("autoscaling", "threshold_cpu", "101", "101 is out of range"),
        ("autoscaling", "min_replicas", "five", "is not a whole number"),
        ("autoscaling", "max_replicas", "0", "0 is out of range"),
        ("pricing", "input", "-0.5", "is negative"),
        ("pricing", "input", "0.1234567890123", "has more than 12 decimals"),
        ("pricing", "output", "1e3", "is not a price"),
        ("pricing", "output", "1000001", "is too high"),
        ("pricing", "cached", "-1", "is negative"),
        ("pricing", "cached", "free", "is not a price"),
        ("pricing", "output", "", "A value is needed here."),
        ("rate-limits", "organization_tokens", "-1", "-1 is out of range"),
        ("rate-limits", "organization_tokens", "0", "0 is out of range"),
        ("rate-limits", "organization_tokens", "", "switch this limit off"),
        ("rate-limits", "organization_requests", HUGE, "is not a whole number"),
    ],
)
def test_a_value_that_cannot_be_used(
    web: Client, draft: Draft, at, step: str, field: str, typed: str, sentence: str
) -> None:
    response = web.post(at(step), {**VALID[step], field: typed})
    shown = typed.replace("\x01", "\x01")
    refused(response, f"id_{field}", sentence, shown if typed else None)
    draft.refresh_from_db()
    assert step not in draft.done


def test_fewer_at_most_than_at_least(web: Client, at) -> None:
    response = web.post(at("autoscaling"), {**AUTOSCALING, "min_replicas": "5", "max_replicas": "2"})
    refused(response, "id_max_replicas", "2 is below the minimum of 5", "2")


@pytest.mark.parametrize("kind", ["other", "VLLM"])
def test_an_engine_that_does_not_exist(web: Client, at, kind: str) -> None:
    response = web.post(at("engine"), {**ENGINE, "kind": kind})
    assert response.status_code == 422
    assert 'id="id_kind_error"' in response.content.decode()


def test_gpus_that_do_not_match_the_tensor_parallel_size(web: Client, at) -> None:
    web.post(at("engine"), {**ENGINE, "arguments": "--tensor-parallel-size 2"})
    response = web.post(at("resources"), {**RESOURCES, "gpu_count": "4"})
    refused(response, "id_gpu_count", "is 2 × 1 × 1 = 2, but a replica has 4 GPUs", "4")


def test_one_gpu_becomes_two_without_either_step_waiting_for_the_other(web: Client, at) -> None:
    assert web.post(at("engine"), {**ENGINE, "arguments": "--tensor-parallel-size 2"}).status_code == 302
    assert "needs a change" in web.get(at("engine")).content.decode()
    assert web.post(at("resources"), {**RESOURCES, "gpu_count": "2"}).status_code == 302
    assert "needs a change" not in web.get(at("engine")).content.decode()


@pytest.mark.parametrize(
    ("rows", "field", "sentence"),
    [
        ([{"name": "", "value": "x"}], "id_variables-0-name", "A value is needed here."),
        ([{"name": "1ST", "value": "x"}], "id_variables-0-name", "is not a variable name"),
        ([{"name": "A", "value": "1"}, {"name": "A", "value": "2"}], "id_variables-1-name", "A is set twice"),
        ([{"name": "HF_HOME", "value": "/x"}], "id_variables-0-name", "HF_HOME: Slipway sets it"),
        ([{"name": "KUBERNETES_PORT", "value": "x"}], "id_variables-0-name", "Kubernetes sets these names"),
        ([{"name": "A", "value": "x\x00"}], "id_variables-0-value", "Control characters"),
        ([{"name": "A", "value": "x" * 32_769}], "id_variables-0-value", "too long"),
        ([{"name": "TOKEN", "secret": "on"}], "id_variables-0-value", "has no value yet"),
        ([{"name": "TOKEN", "secret": "on", "value": "a\x00"}], "id_variables-0-value", "Control characters"),
    ],
)
def test_a_variable_that_cannot_be_set(web: Client, at, rows, field: str, sentence: str) -> None:
    refused(web.post(at("environment"), variables(*rows)), field, sentence)


def test_more_variables_than_are_allowed(web: Client, draft: Draft, at) -> None:
    rows = [{"name": f"V{n}", "value": "x"} for n in range(110)]
    response = web.post(at("environment"), variables(*rows))
    assert response.status_code == 422
    assert "At most 100 variables are allowed" in response.content.decode()
    draft.refresh_from_db()
    assert "environment" not in draft.done


@pytest.mark.parametrize("total", ["", "-1", "many", HUGE[:300]])
def test_rows_whose_count_is_nonsense(web: Client, at, total: str) -> None:
    response = web.post(at("environment"), {"variables-TOTAL_FORMS": total, "variables-INITIAL_FORMS": "0"})
    assert response.status_code == 422


def test_thousands_of_fields_are_refused_before_they_are_read(web: Client, at) -> None:
    response = web.post(at("engine"), {f"field-{n}": "x" for n in range(2000)})
    assert response.status_code == 400


def test_a_body_of_ten_megabytes_is_refused(web: Client, at) -> None:
    response = web.post(at("engine"), {**ENGINE, "arguments": "x" * 10_000_000})
    assert response.status_code == 413


@pytest.mark.parametrize(
    ("step", "field"), [("engine", "tag"), ("engine", "arguments"), ("pricing", "input")]
)
def test_half_of_a_surrogate_pair_is_refused(web: Client, at, step: str, field: str) -> None:
    boundary = "parts"
    parts = {**VALID[step], field: "a\\ud800"}
    body = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in parts.items()
    )
    kind = f"multipart/form-data; boundary={boundary}; charset=raw_unicode_escape"
    response = web.post(at(step), data=(body + f"--{boundary}--\r\n").encode(), content_type=kind)
    assert response.status_code == 422
    assert f'id="id_{field}_error"' in response.content.decode()


def test_a_review_note_that_is_too_long_or_not_text(web: Client, at) -> None:
    for note in ("x" * 501, "a\x00b"):
        response = web.post(at("review"), {"note": note})
        assert response.status_code == 422
        assert 'id="id_note_error"' in response.content.decode()
    assert not Deployment.objects.exists()


def test_cached_input_alone_is_no_price(web: Client, draft: Draft, at) -> None:
    response = web.post(at("pricing"), {"currency": "USD", "input": "", "output": "", "cached": "0.1"})
    refused(response, "id_input", "A value is needed here.", None)
    refused(response, "id_output", "A value is needed here.", None)


def test_a_price_keeps_all_of_its_twelve_decimals(web: Client, draft: Draft, at) -> None:
    web.post(at("pricing"), {**PRICING, "input": "0.123456789012"})
    draft.refresh_from_db()
    assert draft.sections["pricing"]["inputPerMillion"] == "0.123456789012"

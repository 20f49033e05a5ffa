"""Configuration, document and objects show everything but the values of secrets."""

import pytest
import yaml
from django.test import Client

from deployments import document
from deployments.models import Deployment
from deployments.spec import Variable
from tests.deployments.pages import world

VALUE = "hf_do_not_show_me"


@pytest.fixture(autouse=True)
def chat(ada) -> Deployment:
    environment = (Variable("VLLM_LOGGING_LEVEL", "DEBUG"), Variable("HF_TOKEN", secret=True))
    return world.deployment(environment=environment, secrets={"HF_TOKEN": VALUE})


@pytest.mark.parametrize("part", ["", "configuration/", "yaml/", "yaml/document/", "logs/"])
def test_no_page_shows_a_secret(web: Client, part: str) -> None:
    page = web.get(f"/deployments/chat/{part}").content.decode()
    assert VALUE not in page
    assert "aGZfZG9fbm90X3Nob3dfbWU" not in page


def test_configuration_says_that_a_secret_is_set(web: Client) -> None:
    page = web.get("/deployments/chat/configuration/").content.decode()
    assert "Secret, set" in page
    assert "DEBUG" in page
    assert "vllm/vllm-openai:v0.33.0" in page


def test_the_objects_are_rendered_with_masked_secrets(web: Client) -> None:
    objects = list(yaml.safe_load_all(web.get("/deployments/chat/yaml/").context["objects"]))
    secrets = [o for o in objects if o["kind"] == "Secret"]
    values = {v for o in secrets for part in ("data", "stringData") for v in o.get(part, {}).values()}
    assert values == {"••••••••"}
    assert any(o["kind"] == "StatefulSet" for o in objects)


def test_the_download_is_the_document(web: Client, chat: Deployment) -> None:
    answer = web.get("/deployments/chat/yaml/document/")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="chat.yaml"'
    assert document.read(answer.content) == chat.spec


def test_metrics_say_what_will_appear_and_invent_nothing(web: Client) -> None:
    page = web.get("/deployments/chat/metrics/").content.decode()
    assert "after the first request to this deployment" in page

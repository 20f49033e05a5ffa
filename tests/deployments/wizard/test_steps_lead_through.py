"""A person fills in the steps one after the other, in any order, and finds everything again."""

import pytest
from django.test import Client

from deployments.models import Draft
from deployments.wizard import steps
from tests.deployments.wizard.conftest import VALID, variables


@pytest.mark.parametrize("step", [step.slug for step in steps.FILLED])
def test_every_step_has_an_address_and_offers_the_way_on(web: Client, at, step: str) -> None:
    page = web.get(at(step)).content.decode()
    assert f"Continue to {steps.after(steps.BY_SLUG[step]).in_sentence}" in page
    assert "Save draft" in page
    assert 'role="alert"' not in page


@pytest.mark.parametrize("step", [*VALID, "environment"])
def test_continue_keeps_the_step_and_goes_on(web: Client, draft: Draft, at, step: str) -> None:
    data = VALID.get(step) or variables({"name": "VLLM_LOGGING_LEVEL", "value": "INFO"})
    response = web.post(at(step), {**data, "action": "continue"})
    assert response.status_code == 302
    assert response.url == at(steps.after(steps.BY_SLUG[step]).slug)
    draft.refresh_from_db()
    assert step in draft.done


def test_saving_stays_on_the_step(web: Client, at) -> None:
    response = web.post(at("engine"), {**VALID["engine"], "tag": "v0.32.0", "action": "save"})
    assert response.url == at("engine")
    assert 'value="v0.32.0"' in web.get(at("engine")).content.decode()


@pytest.mark.parametrize(("action", "target"), [("back", "engine"), ("go:pricing", "pricing")])
def test_leaving_a_step_keeps_even_what_is_wrong(web: Client, at, action: str, target: str) -> None:
    response = web.post(at("resources"), {**VALID["resources"], "memory_limit": "1Gb", "action": action})
    assert response.url == at(target)
    page = web.get(at("resources")).content.decode()
    assert 'value="1Gb"' in page
    assert "“1Gb” is not a quantity" in page


def test_leaving_the_wizard_keeps_the_draft(web: Client, draft: Draft, at) -> None:
    response = web.post(at("engine"), {**VALID["engine"], "tag": "", "action": "leave"})
    assert response.url == "/models/opt-125m/"
    draft.refresh_from_db()
    assert draft.sections["engine"]["tag"] == ""


def test_the_rail_marks_what_is_done_and_what_needs_a_change(web: Client, at) -> None:
    web.post(at("engine"), {**VALID["engine"], "tag": "", "action": "back"})
    page = web.get(at("resources")).content.decode()
    assert 'General<span class="visually-hidden">, complete</span>' in page
    assert 'Engine<span class="visually-hidden">, needs a change</span>' in page


def test_a_step_that_does_not_exist_is_not_found(web: Client, at) -> None:
    assert web.get(at("sharing")).status_code == 404

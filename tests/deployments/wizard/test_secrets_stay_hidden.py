"""Secret values go in, are kept encrypted, and are never shown again, neither on a page nor in the review."""

from django.db import connection
from django.test import Client
from django.urls import reverse

from deployments.models import Deployment, Draft
from deployments.wizard.work import typed_secrets
from tests.deployments.wizard.conftest import variables

VALUE = "hf_do-not-show-me"
TOKEN = {"name": "HF_TOKEN", "value": VALUE, "secret": "on"}


def test_a_secret_is_kept_and_never_shown(web: Client, draft: Draft, at) -> None:
    assert web.post(at("environment"), variables(TOKEN)).status_code == 302
    draft.refresh_from_db()
    assert typed_secrets(draft) == {"HF_TOKEN": VALUE}
    assert VALUE not in str(draft.sections)
    with connection.cursor() as cursor:
        cursor.execute("SELECT secrets FROM deployments_draft")
        assert VALUE not in cursor.fetchone()[0]
    for step in ("environment", "review"):
        page = web.get(at(step)).content.decode()
        assert VALUE not in page
        assert "HF_TOKEN" in page


def test_an_empty_value_keeps_the_secret(web: Client, draft: Draft, at) -> None:
    web.post(at("environment"), variables(TOKEN))
    assert "A value is set. Leave it empty to keep it." in web.get(at("environment")).content.decode()
    kept = {"name": "HF_TOKEN", "value": "", "secret": "on", "was": "HF_TOKEN"}
    assert web.post(at("environment"), variables(kept, {"name": "B", "value": "1"})).status_code == 302
    draft.refresh_from_db()
    assert typed_secrets(draft) == {"HF_TOKEN": VALUE}


def test_a_new_name_takes_the_secret_along(web: Client, draft: Draft, at) -> None:
    web.post(at("environment"), variables(TOKEN))
    web.post(at("environment"), variables({"name": "OTHER", "secret": "on", "was": "HF_TOKEN"}))
    draft.refresh_from_db()
    assert typed_secrets(draft) == {"OTHER": VALUE}


def test_a_secret_that_becomes_plain_does_not_come_out(web: Client, draft: Draft, at) -> None:
    web.post(at("environment"), variables(TOKEN))
    web.post(at("environment"), variables({"name": "HF_TOKEN", "value": "", "was": "HF_TOKEN"}))
    draft.refresh_from_db()
    assert draft.sections["environment"] == [{"name": "HF_TOKEN", "value": ""}]
    assert typed_secrets(draft) == {}


def test_a_secret_survives_a_mistake_in_another_row(web: Client, draft: Draft, at) -> None:
    response = web.post(at("environment"), variables(TOKEN, {"name": "1X", "value": "y"}))
    page = response.content.decode()
    assert response.status_code == 422
    assert VALUE not in page
    assert "A value is set" in page


def test_a_removed_row_takes_its_secret_with_it(web: Client, draft: Draft, at) -> None:
    web.post(at("environment"), variables(TOKEN))
    web.post(at("environment"), variables({**TOKEN, "value": "", "was": "HF_TOKEN", "DELETE": "on"}))
    draft.refresh_from_db()
    assert draft.sections["environment"] == []
    assert not draft.secrets


def test_adding_a_row_without_scripts_keeps_the_others(web: Client, draft: Draft, at) -> None:
    response = web.post(at("environment"), {**variables({"name": "A", "value": "1"}), "add_row": "variables"})
    page = response.content.decode()
    assert response.status_code == 200
    assert 'name="variables-0-name" value="A"' in page
    assert 'name="variables-1-name"' in page


def test_the_manifests_show_the_keys_of_secrets_only(web: Client, draft: Draft, at) -> None:
    draft.model.weights_token = "hf_weights"
    draft.model.save()
    web.post(at("environment"), variables(TOKEN))
    manifests = web.get(at("review")).context["manifests"]
    assert "kind: Secret" in manifests
    assert "HF_TOKEN: ••••••••" in manifests
    assert "hf_weights" not in manifests


def test_an_edit_keeps_the_secret_of_the_revision(web: Client, draft: Draft, at) -> None:
    web.post(at("environment"), variables(TOKEN))
    web.post(at("review"), {"note": "first"})
    deployment = Deployment.objects.get()
    assert deployment.current.secret_values() == {"HF_TOKEN": VALUE}
    draft.refresh_from_db()
    assert not draft.secrets
    web.post(reverse("deployment_edit", args=["chat"]), {"description": "Changed"})
    change = Draft.objects.get(editing=deployment)
    url = reverse("draft_step", args=[change.pk, "environment"])
    assert "A value is set" in web.get(url).content.decode()
    web.post(url, variables({"name": "TOKEN", "secret": "on", "was": "HF_TOKEN"}))
    web.post(reverse("draft_step", args=[change.pk, "review"]))
    deployment.refresh_from_db()
    assert deployment.current.number == 2
    assert deployment.current.secret_values() == {"TOKEN": VALUE}

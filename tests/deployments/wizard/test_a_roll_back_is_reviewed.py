"""A roll back is asked about, reviewed like any change, and saved as a new revision; a copy is a new deployment."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse

from console.access import Role
from console.models import Organization
from deployments import desired
from deployments.models import CatalogModel, Deployment, Draft, Observation, Revision
from deployments.spec import Pricing, SharingSpec
from deployments.vocabulary import DesiredState, Sharing
from tests.deployments.wizard.conftest import person, variables


@pytest.fixture
def deployment(web: Client, draft: Draft, at) -> Deployment:
    """Revision 1 has a secret, one replica, 30Gi and no price; revision 2 another tag, 60Gi, a price and shares."""
    web.post(at("environment"), variables({"name": "TOKEN", "value": "hush-one", "secret": "on"}))
    assert web.post(at("review")).status_code == 302
    made = Deployment.objects.get()
    Organization.objects.create(slug="acme", name="Acme")
    spec = made.spec
    changed = replace(
        spec,
        engine=replace(spec.engine, tag="v9.9.9", volume="60Gi"),
        pricing=Pricing("USD", Decimal(1), Decimal(2)),
        sharing=SharingSpec(Sharing.SELECTED, ("acme",)),
    )
    desired.revise(made, changed, author=None, expected=1, secrets={"TOKEN": "hush-two"})
    Deployment.objects.update(applied_revision=2)
    return Deployment.objects.get()


ROLL_BACK = "/deployments/chat/revisions/1/roll-back/"
CLONE = "/deployments/chat/revisions/1/clone/"


def text(response) -> str:
    return " ".join(response.content.decode().split())


def newest() -> Revision:
    current = Deployment.objects.get(name="chat").current
    assert current is not None
    return current


def test_asking_writes_nothing_and_says_what_comes_back(web: Client, deployment: Deployment) -> None:
    page = text(web.get(ROLL_BACK))
    assert "<del>v9.9.9</del>" in page
    assert "The volume of a replica stays at 60Gi" in page
    assert "come back as they were, without being shown: TOKEN" in page
    assert "hush" not in page
    assert not Draft.objects.filter(editing=deployment).exists()


def test_it_leads_to_the_review_and_saves_a_new_revision(web: Client, deployment: Deployment) -> None:
    response = web.post(ROLL_BACK, {"terms": "back"}, follow=True)
    page, review = text(response), response.request["PATH_INFO"]
    assert "This rolls back to revision 1" in page
    assert ">Roll back to revision 1</textarea>" in page
    assert "New secret value" in page
    assert "hush" not in page
    assert newest().number == 2
    assert web.post(review, {"note": "Roll back to revision 1"}).url == "/deployments/chat/"
    saved, first = newest(), Revision.objects.get(number=1)
    assert (saved.number, saved.note) == (3, "Roll back to revision 1")
    assert saved.spec == replace(first.spec, engine=replace(first.spec.engine, volume="60Gi"))
    assert saved.secret_values() == {"TOKEN": "hush-one"}


def test_a_way_back_to_what_still_serves_restarts_nothing(web: Client, deployment: Deployment) -> None:
    Observation.objects.update(ready=1, wanted=1, details={"serving_revision": 1})
    review = web.post(ROLL_BACK, {"terms": "back"}).url
    assert "No pod that serves restarts" in text(web.get(review))
    web.post(
        review.replace("review", "environment"), variables({"name": "TOKEN", "secret": "on", "value": "x"})
    )
    assert "1 replica restarts" in text(web.get(review))


def test_a_volume_that_the_cluster_refused_goes_back(web: Client, deployment: Deployment) -> None:
    Deployment.objects.update(applied_revision=1)
    assert "The volume of a replica stays" not in text(web.get(ROLL_BACK))
    web.post(web.post(ROLL_BACK, {"terms": "back"}).url)
    assert (newest().number, newest().spec.engine.volume) == (3, "30Gi")


def test_todays_terms_can_stay(web: Client, deployment: Deployment) -> None:
    review = web.post(ROLL_BACK, {"terms": "kept"}).url
    web.post(review)
    spec = newest().spec
    assert spec.engine.tag == Revision.objects.get(number=1).spec.engine.tag
    assert (spec.pricing, spec.sharing) == (deployment.spec.pricing, deployment.spec.sharing)


def test_the_weights_of_that_revision_come_back(web: Client, deployment: Deployment) -> None:
    CatalogModel.objects.update(source_revision="abc")
    desired.revise(deployment, deployment.spec, author=None, expected=2)
    assert newest().model_source.revision == "abc"
    review = web.post(ROLL_BACK, {"terms": "back"}).url
    assert "facebook/opt-125m at abc" in text(web.get(review))
    web.post(review)
    assert (newest().number, newest().model_source.revision) == (4, "")


def test_asking_twice_leads_to_the_same_draft(web: Client, deployment: Deployment) -> None:
    assert web.post(ROLL_BACK, {"terms": "back"}).url == web.post(ROLL_BACK, {"terms": "kept"}).url
    assert Draft.objects.filter(editing=deployment, result=None).count() == 1


def test_an_edit_that_was_begun_is_left_alone(web: Client, deployment: Deployment) -> None:
    edit = reverse("deployment_edit", args=["chat"])
    web.post(edit, {"description": "Mine"})
    mine = Draft.objects.get(editing=deployment, result=None)
    web.post(ROLL_BACK, {"terms": "back"})
    web.post(edit, {"description": "Mine still"})
    mine.refresh_from_db()
    assert mine.sections["general"]["description"] == "Mine still"
    assert Draft.objects.filter(editing=deployment, result=None).count() == 2
    assert "Roll back to revision 1" in text(web.get(edit))


def test_it_can_be_changed_before_it_is_saved(web: Client, deployment: Deployment) -> None:
    review = web.post(ROLL_BACK, {"terms": "back"}).url
    environment = review.replace("review", "environment")
    assert "A value is set" in text(web.get(environment))
    web.post(environment, variables({"name": "OTHER", "secret": "on", "was": "TOKEN"}))
    web.post(review)
    assert newest().secret_values() == {"OTHER": "hush-one"}


def test_a_revision_saved_meanwhile_is_a_conflict(web: Client, deployment: Deployment) -> None:
    review = web.post(ROLL_BACK, {"terms": "back"}).url
    spec = replace(deployment.spec, engine=replace(deployment.spec.engine, replicas=2))
    desired.revise(deployment, spec, author=None, expected=2)
    assert web.post(review).status_code == 409
    web.post(review, {"action": "newest"})
    web.post(review)
    assert (newest().number, newest().spec.engine.replicas) == (4, 2)
    assert newest().spec.engine.tag == Revision.objects.get(number=1).spec.engine.tag
    assert newest().secret_values() == {"TOKEN": "hush-one"}


def test_an_operator_brings_no_sharing_back(client: Client, deployment: Deployment) -> None:
    client.force_login(person("olga@example.com", Role.OPERATOR))
    assert "Sharing stays as it is today" in text(client.get(ROLL_BACK))
    client.post(client.post(ROLL_BACK, {"terms": "back"}).url)
    assert (newest().number, newest().spec.sharing) == (3, deployment.spec.sharing)
    assert newest().spec.pricing is None


def test_an_organisation_that_is_gone_is_left_out(web: Client, deployment: Deployment) -> None:
    desired.share(deployment, Sharing.PRIVATE, [], author=None)
    Organization.objects.all().delete()
    address = ROLL_BACK.replace("/1/", "/2/")
    assert "there is no such organisation any more" in text(web.get(address))
    web.post(web.post(address, {"terms": "back"}).url)
    assert newest().spec.sharing == SharingSpec(Sharing.SELECTED, ())


def test_there_is_no_way_back_to_the_present_or_from_a_deletion(web: Client, deployment: Deployment) -> None:
    assert web.get(ROLL_BACK.replace("/1/", "/2/")).url == "/deployments/chat/revisions/"
    Deployment.objects.update(desired_state=DesiredState.DELETED)
    assert web.post(ROLL_BACK, {"terms": "back"}).url == "/deployments/chat/"
    assert not Draft.objects.filter(editing=deployment).exists()


def test_an_answer_that_does_not_exist_is_refused(web: Client, deployment: Deployment) -> None:
    assert web.post(ROLL_BACK, {"terms": "half"}).status_code == 422


def test_a_copy_begins_with_the_settings_under_another_name(web: Client, deployment: Deployment) -> None:
    page = text(web.get(CLONE))
    assert "This begins as a copy of revision 1 of chat." in page
    assert 'value="chat-2"' in page
    assert "TOKEN will be asked for again" in page
    assert not Draft.objects.filter(editing=None, result=None).exists()

    where = web.post(CLONE, {"name": "chat-2", "description": "Again", "endpoint": "main"})
    assert where.url.endswith("/engine/")
    review, environment = (where.url.replace("engine", slug) for slug in ("review", "environment"))
    assert "The secret TOKEN has no value yet." in text(web.get(review))
    row = {"name": "TOKEN", "secret": "on", "value": "hush-three"}
    web.post(environment, variables(row))
    assert web.post(review).url == "/deployments/chat-2/"
    copy = Deployment.objects.get(name="chat-2")
    assert copy.spec.engine == Revision.objects.get(deployment=deployment, number=1).spec.engine
    assert copy.spec.sharing == SharingSpec()
    assert copy.current is not None
    assert copy.current.secret_values() == {"TOKEN": "hush-three"}


def test_a_copy_of_what_is_shared_is_shared_with_nobody(web: Client, deployment: Deployment) -> None:
    address = CLONE.replace("/1/", "/2/")
    where = web.post(address, {"name": "chat-2", "endpoint": "main"}).url
    row = {"name": "TOKEN", "secret": "on", "value": "hush-three"}
    web.post(where.replace("engine", "environment"), variables(row))
    web.post(where.replace("engine", "review"))
    assert Deployment.objects.get(name="chat-2").shares.count() == 0


def test_a_copy_sent_twice_is_one_draft(web: Client, deployment: Deployment) -> None:
    key = web.get(CLONE).context["form"]["draft"].value()
    sent = {"name": "chat-2", "endpoint": "main", "draft": key}
    assert web.post(CLONE, sent).url == web.post(CLONE, sent).url
    assert web.post(CLONE, {**sent, "name": "chat", "draft": ""}).status_code == 422


def test_the_pages_cost_few_statements(
    web: Client, deployment: Deployment, django_assert_max_num_queries
) -> None:
    review = web.post(ROLL_BACK, {"terms": "back"}).url
    web.get(review)
    for address in (ROLL_BACK, CLONE, review):
        with django_assert_max_num_queries(9):
            web.get(address)

"""The review of an edit says what will happen, lets one choose how it rolls out, and refuses what cannot be."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.test import Client
from django.urls import reverse

from deployments import desired
from deployments.facts import StorageClass
from deployments.models import CatalogModel, Cluster, Deployment, Draft, Observation
from deployments.vocabulary import DesiredState, Phase
from tests.deployments.wizard.conftest import AUTOSCALING, ENGINE, FACTS, PRICING, variables

SAME = {**ENGINE, "volume": "30Gi"}
NEW_TAG = {**SAME, "tag": "v0.32.0"}


@pytest.fixture
def deployment(web: Client, draft: Draft, at) -> Deployment:
    web.post(at("environment"), variables({"name": "TOKEN", "value": "first", "secret": "on"}))
    assert web.post(at("review")).status_code == 302
    made = Deployment.objects.get()
    Deployment.objects.update(applied_revision=1)
    Observation.objects.update(phase=Phase.SERVING, ready=1, wanted=1)
    return made


@pytest.fixture
def change(web: Client, deployment: Deployment):
    """The address of each step of a draft that changes the deployment."""
    web.post(reverse("deployment_edit", args=["chat"]), {"description": "For everyone"})
    key = Draft.objects.get(editing=deployment).pk
    return lambda slug: reverse("draft_step", args=[key, slug])


def read(web: Client, url: str) -> str:
    return " ".join(web.get(url).content.decode().split())


def current(deployment: Deployment):
    return Deployment.objects.get(pk=deployment.pk).current


def test_it_says_which_objects_are_written_and_what_restarts(web: Client, change) -> None:
    web.post(change("engine"), NEW_TAG)
    page = read(web, change("review"))
    assert "1 replica restarts, and none is missed" in page
    assert "md-chat-1 starts first, beside the others." in page
    assert "gpu-1 has room for one more replica." in page or "gpu-2 has room for one more replica." in page
    assert "Its pods are made anew" in page
    assert "Left alone: " in page


def test_without_a_spare_gpu_it_is_replaced_in_place_and_says_what_is_missed(web: Client, change) -> None:
    full = replace(FACTS, gpu_nodes=tuple(replace(node, free=0) for node in FACTS.gpu_nodes))
    Cluster.objects.update(facts=full.to_mapping())
    web.post(change("engine"), NEW_TAG)
    page = read(web, change("review"))
    assert "1 replica restarts, and nothing serves meanwhile" in page
    assert "None: no node has 1 free GPU" in page


def test_terms_change_without_a_restart(web: Client, change) -> None:
    web.post(change("pricing"), PRICING)
    page = read(web, change("review"))
    assert "No pod restarts" in page
    assert "Only the revision&#x27;s number" in page
    assert 'name="strategy"' not in page


def test_the_way_it_rolls_out_is_chosen_and_kept(web: Client, deployment: Deployment, change) -> None:
    web.post(change("engine"), NEW_TAG)
    shown = web.post(change("review"), {"action": "strategy", "strategy": "replace", "note": "Slowly"})
    page = " ".join(shown.content.decode().split())
    assert shown.status_code == 200
    assert "nothing serves meanwhile" in page
    assert ">Slowly</textarea>" in page
    assert current(deployment).number == 1
    assert web.post(change("review"), {"strategy": "replace"}).status_code == 302
    saved = current(deployment)
    assert (saved.number, saved.strategy, saved.document["spec"]["rollout"]) == (
        2,
        "replace",
        {"strategy": "replace"},
    )


def test_without_scripts_the_choice_goes_with_the_last_button(
    web: Client, deployment: Deployment, change
) -> None:
    web.post(change("engine"), NEW_TAG)
    web.post(change("review"), {"strategy": "surge"})
    assert current(deployment).strategy == "surge"


def test_a_way_that_does_not_exist_saves_nothing(web: Client, deployment: Deployment, change) -> None:
    web.post(change("engine"), NEW_TAG)
    response = web.post(change("review"), {"strategy": "recreate"})
    assert response.status_code == 422
    assert "Select a valid choice" in response.content.decode()
    assert current(deployment).number == 1


def test_one_more_first_is_greyed_where_the_autoscaler_owns_the_replicas(
    web: Client, deployment: Deployment, change
) -> None:
    web.post(change("engine"), NEW_TAG)
    web.post(change("autoscaling"), AUTOSCALING)
    assert "The autoscaler owns the number of replicas." in read(web, change("review"))
    response = web.post(change("review"), {"strategy": "surge"})
    assert response.status_code == 422
    assert current(deployment).number == 1


def test_a_smaller_volume_is_refused_with_the_way_out(web: Client, deployment: Deployment, change) -> None:
    web.post(change("engine"), {**SAME, "volume": "20Gi"})
    response = web.post(change("review"))
    assert response.status_code == 422
    page = " ".join(response.content.decode().split())
    assert "The volume cannot shrink from 30Gi to 20Gi" in page
    assert "deploy under another name" in page
    assert current(deployment).number == 1


def test_a_growth_that_the_cluster_refused_can_be_taken_back(
    web: Client, deployment: Deployment, change
) -> None:
    spec = deployment.spec
    desired.revise(
        deployment, replace(spec, engine=replace(spec.engine, volume="60Gi")), author=None, expected=1
    )
    web.post(change("review"), {"action": "newest"})
    web.post(change("engine"), SAME)
    assert web.post(change("review")).status_code == 302
    assert (current(deployment).number, current(deployment).spec.engine.volume) == (3, "30Gi")


def test_a_larger_volume_restarts_nothing(web: Client, deployment: Deployment, change) -> None:
    growing = replace(FACTS, storage_classes=(StorageClass("fast", default=True, expandable=True),))
    Cluster.objects.update(facts=growing.to_mapping())
    web.post(change("engine"), {**SAME, "volume": "60Gi"})
    page = read(web, change("review"))
    assert "No pod restarts" in page
    assert "They grow from 30Gi to 60Gi." in page
    assert web.post(change("review")).status_code == 302


def test_a_class_that_does_not_grow_is_refused(web: Client, deployment: Deployment, change) -> None:
    fixed = replace(FACTS, storage_classes=(StorageClass("fixed", default=True),))
    Cluster.objects.update(facts=fixed.to_mapping())
    web.post(change("engine"), {**SAME, "volume": "60Gi"})
    response = web.post(change("review"))
    assert response.status_code == 422
    assert "the storage class fixed does not allow it" in response.content.decode()


def test_a_new_value_of_a_secret_is_a_restart_and_never_shown(
    web: Client, deployment: Deployment, change
) -> None:
    row = {"name": "TOKEN", "secret": "on", "was": "TOKEN"}
    web.post(change("environment"), variables({**row, "value": "second"}))
    page = read(web, change("review"))
    assert "New secret value" in page
    assert "1 replica restarts" in page
    assert "first" not in page.replace("starts first", "").replace("one more first", "").replace(
        "more first", ""
    )
    assert "second" not in page

    web.post(change("environment"), variables({**row, "value": "first"}))
    assert "No setting changes" in read(web, change("review"))


def test_weights_that_the_catalogue_changed_are_a_change_of_their_own(web: Client, change) -> None:
    CatalogModel.objects.update(source_revision="abc")
    page = read(web, change("review"))
    assert "facebook/opt-125m at abc" in page
    assert "1 replica restarts" in page


def test_a_stopped_deployment_says_that_nothing_happens_yet(
    web: Client, deployment: Deployment, change
) -> None:
    desired.stop(deployment, author=None)
    assert Deployment.objects.get().desired_state == DesiredState.STOPPED
    web.post(change("engine"), NEW_TAG)
    assert "It is stopped: nothing runs before it is started" in read(web, change("review"))

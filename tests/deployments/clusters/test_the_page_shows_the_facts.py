"""The pages of a cluster say what the last check found, never greener than it is."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse

from deployments.clusters import page as cluster_facts
from deployments.facts import Addons, Quota, Taint
from deployments.models import Cluster, Endpoint
from deployments.vocabulary import ClusterKind, Tone
from tests.deployments.clusters.conftest import FACTS

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def text_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_the_page_of_a_cluster_shows_what_it_has(web: Client, cluster: Cluster) -> None:
    Endpoint.objects.create(slug="main", name="Main", hostname="llm.example.com", cluster=cluster)
    page = text_of(web.get(reverse("cluster_detail", args=["osl-1"])).content.decode())
    for expected in (
        "Kubernetes v1.34.2",
        "H100 11 of 16 in use",
        "L40S 0 of 4 in use",
        "gpu-2 takes no new pods",
        "fast Default, can grow",
        "slow Cannot grow",
        "llm.example.com",
        "Not there. Scales by what engines measure",
    ):
        assert expected in page


def test_the_page_shows_operators_taints_and_the_quotas_of_its_endpoints(
    web: Client, cluster: Cluster
) -> None:
    Endpoint.objects.create(slug="main", name="Main", hostname="llm.example.com", cluster=cluster)
    node = replace(FACTS.gpu_nodes[0], taints=(Taint("team", "research"),))
    bound = {"requests.nvidia.com/gpu": "4", "pods": "20"}
    used = {"requests.nvidia.com/gpu": "4", "pods": "3"}
    facts = replace(
        FACTS,
        gpu_nodes=(node,),
        quotas=(Quota("models", "team", bound, used), Quota("elsewhere", "theirs", {"pods": "1"}, {})),
        addons=Addons(dynamo=True, dynamo_versions=("v1alpha1", "v1beta1")),
    )
    Cluster.objects.update(facts=facts.to_mapping())
    page = text_of(web.get(reverse("cluster_detail", args=["osl-1"])).text)
    for expected in (
        "gpu-1 has the taint team=research:NoSchedule, which Slipway’s pods do not tolerate",
        "H100 8 of 8 in use",
        "requests.nvidia.com/gpu 4 4",
        "pods 3 20",
        "Dynamo platform Serves v1alpha1, v1beta1.",
        "NGC key None",
        "Prometheus Not known",
    ):
        assert expected in page
    assert "theirs" not in page


def test_the_list_shows_each_cluster_at_a_glance(web: Client, cluster: Cluster) -> None:
    Cluster.objects.create(slug="box", name="Box", kind=ClusterKind.SANDBOX)
    page = text_of(web.get(reverse("cluster_list")).content.decode())
    assert "Box Sandbox" in page
    assert "Not checked" in page
    assert "H100 11 of 16" in page
    assert "2 clusters" in page


def test_the_first_cluster_is_asked_for(web: Client) -> None:
    page = web.get(reverse("cluster_list")).content.decode()
    assert "No clusters yet" in page
    assert page.count(reverse("cluster_create")) == 1


def test_missing_rights_come_first() -> None:
    rows = cluster_facts.rights(FACTS)
    assert [(row.resource, row.missing) for row in rows[:2]] == [
        ("statefulsets.apps", ("patch",)),
        ("pods/log", ("get",)),
    ]
    assert "patch" not in rows[0].allowed
    assert rows[0].consequence == "Nothing can be deployed."
    assert not any(row.missing for row in rows[2:])


def test_gpus_of_a_closed_node_are_not_free() -> None:
    first, second = cluster_facts.products(FACTS)
    assert (first.name, first.free, first.total) == ("H100", 5, 16)
    assert (second.name, second.free, second.total) == ("L40S", 4, 4)


@pytest.mark.parametrize(
    ("seen", "checked", "error", "since", "tone"),
    [
        (None, None, "", None, Tone.IDLE),
        (None, 1, "", None, Tone.GOOD),
        (None, 60, "", None, Tone.IDLE),
        (1, 60, "", None, Tone.GOOD),
        (10, 1, "No answer.", None, Tone.BAD),
        (1, 10, "No answer.", None, Tone.GOOD),
        (60, 60, "", 30, Tone.BAD),
        (60, 1, "", 30, Tone.GOOD),
    ],
)
def test_the_newest_news_decides_whether_it_is_reachable(
    seen: int | None, checked: int | None, error: str, since: int | None, tone: Tone
) -> None:
    def before(minutes: int | None) -> datetime | None:
        return None if minutes is None else NOW - timedelta(minutes=minutes)

    cluster = Cluster(
        observed_at=before(seen),
        checked_at=before(checked),
        check_error=error,
        unreachable_since=before(since),
    )
    assert cluster_facts.answer(cluster, NOW).tone is tone

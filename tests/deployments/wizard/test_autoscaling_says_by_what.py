"""The autoscaling step: a threshold in the words of its metric, and metrics that the cluster cannot measure."""

from __future__ import annotations

from dataclasses import replace
from html import unescape
from typing import Any

import pytest
from django.test import Client

from deployments import document
from deployments.facts import Addons
from deployments.models import Cluster, Draft
from deployments.vocabulary import ScalingMetric
from deployments.wizard.forms.autoscaling import field_of
from tests.deployments.wizard.conftest import AUTOSCALING, FACTS

OF_ENGINE = [metric for metric in ScalingMetric if metric.is_of_engine]


def with_keda(prometheus: str = "http://prometheus.monitoring:9090", *, keda: bool = True) -> None:
    facts = replace(FACTS, addons=Addons(metrics_server=True, keda=keda))
    Cluster.objects.update(facts=facts.to_mapping(), prometheus_url=prometheus)


def chosen(metric: ScalingMetric, threshold: str = "7", **more: str) -> dict[str, Any]:
    usual = {field_of(each): str(document.THRESHOLDS[each]) for each in ScalingMetric}
    return {**AUTOSCALING, **usual, "metric": metric.value, field_of(metric): threshold, **more}


def radio(page: str, metric: ScalingMetric) -> str:
    return page.partition(f'value="{metric.value}"')[2].partition("</label>")[0]


@pytest.mark.parametrize("metric", list(ScalingMetric))
def test_each_metric_brings_its_own_threshold(web: Client, draft: Draft, at, metric: ScalingMetric) -> None:
    with_keda()
    assert web.post(at("autoscaling"), chosen(metric)).status_code == 302
    draft.refresh_from_db()
    section = draft.sections["autoscaling"]
    assert (section["metric"], section["threshold"]) == (metric.value, "7")
    page = web.get(at("autoscaling")).content.decode()
    assert f'name="{field_of(metric)}" value="7"' in page


def test_a_threshold_is_judged_by_its_unit_beside_its_own_field(web: Client, at) -> None:
    with_keda()
    answer = web.post(at("autoscaling"), chosen(ScalingMetric.KV_CACHE, "101"))
    assert answer.status_code == 422
    page = unescape(answer.content.decode())
    assert (
        "101 is out of range. Enter 1 to 100 percent."
        in page.partition('id="id_threshold_kv_cache_error"')[2]
    )
    assert web.post(at("autoscaling"), chosen(ScalingMetric.CONCURRENCY, "101")).status_code == 302


def test_thresholds_of_other_metrics_are_not_judged(web: Client, at) -> None:
    assert web.post(at("autoscaling"), chosen(ScalingMetric.CPU, threshold_memory="a lot")).status_code == 302


@pytest.mark.parametrize(
    ("keda", "prometheus", "reason"),
    [
        (
            False,
            "http://prometheus.monitoring:9090",
            "This cluster has no KEDA. Install it, or scale by CPU.",
        ),
        (True, "", "The address of this cluster's Prometheus is not known."),
    ],
)
@pytest.mark.parametrize("metric", OF_ENGINE)
def test_what_the_cluster_cannot_measure_is_greyed_with_the_reason_and_refused(
    web: Client, draft: Draft, at, metric: ScalingMetric, keda: bool, prometheus: str, reason: str
) -> None:
    with_keda(prometheus, keda=keda)
    option = radio(unescape(web.get(at("autoscaling")).content.decode()), metric)
    assert "disabled" in option
    assert reason in option
    answer = web.post(at("autoscaling"), chosen(metric))
    assert answer.status_code == 422
    assert reason in unescape(answer.content.decode()).partition('id="id_metric_error"')[2]
    draft.refresh_from_db()
    assert "autoscaling" not in draft.done


def test_a_cluster_that_was_never_checked_is_not_said_to_lack_anything(web: Client, at) -> None:
    Cluster.objects.update(facts=None)
    option = radio(web.get(at("autoscaling")).content.decode(), ScalingMetric.KV_CACHE)
    assert "not known yet" in option
    assert "has no KEDA" not in option
    assert "disabled" not in radio(web.get(at("autoscaling")).content.decode(), ScalingMetric.CPU)


def test_a_greyed_metric_stays_in_the_draft_until_another_is_chosen(web: Client, draft: Draft, at) -> None:
    with_keda()
    web.post(at("autoscaling"), chosen(ScalingMetric.KV_CACHE, "70"))
    with_keda(keda=False)
    unsent = {key: value for key, value in chosen(ScalingMetric.KV_CACHE, "70").items() if key != "metric"}
    assert web.post(at("autoscaling"), unsent).status_code == 422
    draft.refresh_from_db()
    assert draft.sections["autoscaling"]["metric"] == "kv-cache"
    assert web.post(at("autoscaling"), chosen(ScalingMetric.CPU)).status_code == 302


def test_switched_off_nothing_is_refused(web: Client, at) -> None:
    off = {key: value for key, value in chosen(ScalingMetric.KV_CACHE).items() if key != "enabled"}
    assert web.post(at("autoscaling"), off).status_code == 302


def test_nvidias_operator_scales_by_its_own_means(web: Client, draft: Draft, at) -> None:
    with_keda()
    Draft.objects.update(
        sections={
            **draft.sections,
            "engine": {**draft.sections["engine"], "kind": "nim", "runner": "operator"},
        }
    )
    option = radio(web.get(at("autoscaling")).content.decode(), ScalingMetric.CONCURRENCY)
    assert "The NIM Operator scales by CPU or memory only." in option


def test_the_page_says_what_cpu_and_memory_are_worth(web: Client, at) -> None:
    page = web.get(at("autoscaling")).content.decode()
    assert "CPU is a weak signal for a GPU engine" in page
    assert "Memory hardly ever falls" in page
    assert page.count("This cluster has no metrics-server") == 2

"""What is wrong with the autoscaler: a remark beside the status, for the replicas that run are not touched. Pure."""

from __future__ import annotations

from deployments.diagnosis.finding import brief
from deployments.kube.decode import Autoscaler


def remark(autoscaler: Autoscaler | None) -> str:
    """One or two sentences, or nothing when it works."""
    if autoscaler is None:
        return ""
    conditions = {condition.type: condition for condition in autoscaler.status.conditions or ()}
    active, able = conditions.get("ScalingActive"), conditions.get("AbleToScale")
    if active is not None and active.status == "False" and active.reason != "ScalingDisabled":
        told = active.message or ""
        if "missing request for" in told:
            return f"The autoscaler does not work: {brief(told)}. Set a request for this resource."
        if active.reason in ("FailedGetResourceMetric", "FailedComputeMetricsReplicas"):
            return (
                "The autoscaler cannot read how busy the replicas are, so their number stays as it is. "
                "Check that metrics-server is installed."
            )
        return f"The autoscaler does not work: {brief(told) or active.reason}."
    if able is not None and able.status == "False":
        return f"The autoscaler cannot scale the workload: {brief(able.message or able.reason or '')}."
    limited = conditions.get("ScalingLimited")
    if limited is not None and limited.status == "True" and limited.reason == "TooManyReplicas":
        return f"The autoscaler wants more than its maximum of {autoscaler.spec.max_replicas} replicas."
    return ""

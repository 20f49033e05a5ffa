"""A StatefulSet with a volume per replica: how Slipway itself runs replicas, of vLLM and of NIM. Pure."""

from __future__ import annotations

from deployments import naming
from deployments.context import RenderContext
from deployments.manifests.common import Manifest, metadata
from deployments.manifests.pods import marks
from deployments.spec import DeploymentSpec

#: The name of the volume that each replica has for itself.
CLAIM = "data"


def stateful_set(spec: DeploymentSpec, context: RenderContext, pod: Manifest) -> Manifest:
    """The workload around a pod's spec.

    Nothing of the pod's template may depend on the revision number, prices, limits or texts: any change there
    restarts every replica.
    """
    name = naming.workload(spec.name)
    made = metadata(spec, context, name, {naming.MODEL_ANNOTATION: context.source.reference})
    made["labels"][naming.REVISION_LABEL] = str(context.revision)
    replicas = _replicas(spec, context)
    wanted: Manifest = {
        **({} if replicas is None else {"replicas": replicas}),
        "serviceName": naming.headless_service(spec.name),
        "podManagementPolicy": "Parallel",
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete", "whenScaled": "Retain"},
        "updateStrategy": {"type": "RollingUpdate"},
        "selector": {"matchLabels": naming.selector(spec.name)},
        "template": _template(spec, context, pod),
        "volumeClaimTemplates": [_claim(spec, context)],
    }
    return {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": made, "spec": wanted}


def _replicas(spec: DeploymentSpec, context: RenderContext) -> int | None:
    """None leaves the number to the autoscaler; the plan hands it over without a jump."""
    if context.stopped:
        return 0
    return None if spec.autoscaling.enabled else spec.engine.replicas


def _template(spec: DeploymentSpec, context: RenderContext, pod: Manifest) -> Manifest:
    about: Manifest = {"labels": naming.labels(spec.name, spec.engine.kind)}
    if annotations := marks(spec, context):
        about["annotations"] = annotations
    return {"metadata": about, "spec": pod}


def _claim(spec: DeploymentSpec, context: RenderContext) -> Manifest:
    """Claim templates can never be changed, so they carry no label that might."""
    wanted: Manifest = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": spec.engine.volume}},
    }
    if context.storage_class is not None:
        wanted["storageClassName"] = context.storage_class
    stable = {naming.MANAGED_BY_LABEL: naming.PRODUCT, **naming.selector(spec.name)}
    return {"metadata": {"name": CLAIM, "labels": stable}, "spec": wanted}

"""Addresses below /deployments/."""

from django.urls import path

from deployments.views import (
    actions,
    configuration,
    deployments,
    documents,
    drift,
    logs,
    removal,
    revisions,
    rollout,
    sharing,
)

urlpatterns = [
    path("deployments/", deployments.listed, name="deployment_list"),
    # Outside of deployments/, where any name may be one of a deployment.
    path("import/", documents.import_document, name="deployment_import"),
    path("deployments/<slug:name>/", rollout.detail, name="deployment_detail"),
    path("deployments/<slug:name>/configuration/", configuration.settings, name="deployment_configuration"),
    path("deployments/<slug:name>/logs/", logs.log, name="deployment_logs"),
    path("deployments/<slug:name>/revisions/", revisions.listed, name="deployment_revisions"),
    path("deployments/<slug:name>/revisions/compare/", revisions.compare, name="deployment_compare"),
    path("deployments/<slug:name>/revisions/<int:number>/", revisions.detail, name="deployment_revision"),
    path(
        "deployments/<slug:name>/revisions/<int:number>/document/",
        revisions.download,
        name="deployment_revision_document",
    ),
    path("deployments/<slug:name>/sharing/", sharing.manage, name="deployment_sharing"),
    path("deployments/<slug:name>/yaml/", documents.manifests, name="deployment_yaml"),
    path("deployments/<slug:name>/yaml/document/", documents.download, name="deployment_download"),
    path("deployments/<slug:name>/stop/", actions.stop, name="deployment_stop"),
    path("deployments/<slug:name>/start/", actions.start, name="deployment_start"),
    path("deployments/<slug:name>/delete/", removal.delete, name="deployment_delete"),
    path("deployments/<slug:name>/abandon/", removal.abandon, name="deployment_abandon"),
    path("deployments/<slug:name>/restart/", actions.restart, name="deployment_restart"),
    path("deployments/<slug:name>/drift/", drift.policy, name="deployment_drift"),
    path("deployments/<slug:name>/drift/repair/", drift.repair, name="deployment_repair"),
    path("deployments/<slug:name>/look-again/", actions.look_again, name="deployment_look_again"),
]

"""Addresses of the wizard."""

from django.urls import path

from deployments.wizard import deploying, revision_views, views

urlpatterns = [
    path("models/<slug:slug>/deploy/", views.deploy, name="model_deploy"),
    path("deployments/<str:name>/edit/", views.edit, name="deployment_edit"),
    path(
        "deployments/<str:name>/revisions/<int:number>/roll-back/",
        revision_views.roll_back,
        name="deployment_roll_back",
    ),
    path(
        "deployments/<str:name>/revisions/<int:number>/clone/",
        revision_views.clone,
        name="deployment_clone",
    ),
    path("drafts/<uuid:key>/review/", deploying.review, {"slug": "review"}, name="draft_review"),
    path("drafts/<uuid:key>/delete/", views.delete, name="draft_delete"),
    path("drafts/<uuid:key>/<slug:slug>/", views.step, name="draft_step"),
    path("free-names/", views.name_check, name="deployment_name_check"),
]

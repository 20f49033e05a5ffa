"""Addresses of the wizard."""

from django.urls import path

from deployments.wizard import deploying, views

urlpatterns = [
    path("models/<slug:slug>/deploy/", views.deploy, name="model_deploy"),
    path("deployments/<str:name>/edit/", views.edit, name="deployment_edit"),
    path("drafts/<uuid:key>/review/", deploying.review, {"slug": "review"}, name="draft_review"),
    path("drafts/<uuid:key>/delete/", views.delete, name="draft_delete"),
    path("drafts/<uuid:key>/<slug:slug>/", views.step, name="draft_step"),
    path("free-names/", views.name_check, name="deployment_name_check"),
]

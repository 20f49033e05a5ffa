"""Addresses of the catalogue, clusters, endpoints and deployments."""

from django.urls import include, path

from deployments.views import catalog

urlpatterns = [
    # models/
    path("models/", catalog.listing, name="model_list"),
    path("models/new/", catalog.create, name="model_create"),
    path("models/providers/new/", catalog.create_provider, name="provider_create"),
    path("models/<slug:slug>/", catalog.detail, name="model_detail"),
    path("models/<slug:slug>/edit/", catalog.edit, name="model_edit"),
    path("models/<slug:slug>/delete/", catalog.delete, name="model_delete"),
    path("", include("deployments.wizard.urls")),
    path("", include("deployments.views.deployment_urls")),
    path("", include("deployments.views.cluster_urls")),
]

"""Addresses of clusters and endpoints."""

from django.urls import path

from deployments.views import clusters, endpoints

urlpatterns = [
    # clusters/
    path("clusters/", clusters.listing, name="cluster_list"),
    path("clusters/new/", clusters.create, name="cluster_create"),
    path("clusters/<slug:slug>/", clusters.detail, name="cluster_detail"),
    path("clusters/<slug:slug>/edit/", clusters.edit, name="cluster_edit"),
    path("clusters/<slug:slug>/check/", clusters.check, name="cluster_check"),
    path("clusters/<slug:slug>/delete/", clusters.delete, name="cluster_delete"),
    # endpoints/
    path("endpoints/", endpoints.listing, name="endpoint_list"),
    path("endpoints/new/", endpoints.create, name="endpoint_create"),
    path("endpoints/<slug:slug>/", endpoints.detail, name="endpoint_detail"),
    path("endpoints/<slug:slug>/edit/", endpoints.edit, name="endpoint_edit"),
    path("endpoints/<slug:slug>/check/", endpoints.check, name="endpoint_check"),
    path("endpoints/<slug:slug>/delete/", endpoints.delete, name="endpoint_delete"),
]

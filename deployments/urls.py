"""Addresses of the catalogue, clusters, endpoints and deployments."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []

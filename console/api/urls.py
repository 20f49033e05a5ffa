"""Addresses of the API, and of the pages about it."""

from django.urls import path, re_path

from console.api import pages
from console.api.application import api, document, missing

urlpatterns = [
    path("api/v1/openapi.json", document, name="api_document"),
    path("api/v1/reference/", pages.reference, name="api_reference"),
    path("api/v1/", missing, name="api_root"),
    path("api/v1/", api.urls),  # type: ignore[arg-type]
    re_path(r"^api/v1/", missing, name="api_missing"),
    path("accounts/access-keys/", pages.listed, name="access_key_list"),
    path("accounts/access-keys/new/", pages.create, name="access_key_create"),
    path("accounts/access-keys/<int:number>/revoke/", pages.revoke, name="access_key_revoke"),
]

"""Addresses of the audit."""

from django.urls import path, re_path

from console.audit import views

urlpatterns = [
    path("", views.listing, name="audit"),
    re_path(r"^export\.(?P<kind>csv|jsonl)$", views.export, name="audit_export"),
    path("<int:number>/", views.detail, name="audit_entry"),
]

"""Addresses of the portal; those of API keys stand in metering.urls."""

from django.urls import path

from console.portal import bill, entering, models, playground, usage

urlpatterns = [
    path("portal/", models.listed, name="portal_models"),
    path("portal/models/<slug:name>/", models.one, name="portal_model"),
    path("portal/playground/", playground.playground, name="portal_playground"),
    path("portal/playground/answer/", playground.answer, name="portal_answer"),
    path("portal/usage/", usage.usage, name="portal_usage"),
    path("portal/bill/", bill.newest, name="portal_bills"),
    path("portal/bill/<str:word>/", bill.month, name="portal_bill"),
    path("portal/organization/", entering.choose, name="portal_choose"),
    path("portal/view-as/end/", entering.end_look, name="portal_end_look"),
    path("organizations/<slug:slug>/view-as/", entering.look, name="organization_view_as"),
]

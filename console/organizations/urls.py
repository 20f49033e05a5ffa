"""Addresses of organisations, their members, and of invitations."""

from django.urls import path

from console.organizations.views import console, joining, membership

urlpatterns = [
    path("organizations/", console.listed, name="organization_list"),
    path("organizations/new/", console.create, name="organization_create"),
    path("organizations/<slug:slug>/", console.detail, name="organization_detail"),
    path("organizations/<slug:slug>/edit/", console.edit, name="organization_edit"),
    path("organizations/<slug:slug>/members/", membership.members_in_console, name="organization_members"),
    path("organizations/<slug:slug>/limits/", console.limits, name="organization_limits"),
    path("organizations/<slug:slug>/suspend/", console.suspend, name="organization_suspend"),
    path("organizations/<slug:slug>/resume/", console.resume, name="organization_resume"),
    path("portal/members/", membership.members_in_portal, name="portal_members"),
    path("invitations/join/", joining.join, name="invitation_join"),
    path("invitations/<str:token>/", joining.follow, name="invitation_follow"),
]

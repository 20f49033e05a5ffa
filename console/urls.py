"""Every address of the console."""

from allauth.account import views as account
from django.contrib import admin
from django.urls import include, path

from console import health, home

urlpatterns = [
    path("", home.overview, name="home"),
    path("healthz", health.alive, name="healthz"),
    path("readyz", health.ready, name="readyz"),
    # people
    path("sign-in/", account.login, name="account_login"),
    path("sign-out/", account.logout, name="account_logout"),
    path("accounts/", include("console.account_urls")),
    path("people/", include("console.people.urls")),
    path("admin/", admin.site.urls),
    # who did what
    path("audit/", include("console.audit.urls")),
    # what runs
    path("", include("deployments.urls")),
    # what is used
    path("", include("metering.urls")),
    # the same for programs
    path("", include("console.api.urls")),
    # who the tenants are, and what they see
    path("", include("console.organizations.urls")),
    path("", include("console.portal.urls")),
    # who is told of it
    path("notifications/", include("console.notifications.urls")),
]

handler400 = "console.errors.bad_request"
handler403 = "console.errors.forbidden"
handler404 = "console.errors.not_found"
handler500 = "console.errors.server_error"

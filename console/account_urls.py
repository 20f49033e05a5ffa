"""The few account pages of allauth that we offer, under /accounts/; sign-in and sign-out stand in urls.py."""

from allauth.account import views
from django.urls import path, re_path

urlpatterns = [
    path("password/change/", views.password_change, name="account_change_password"),
    path("password/reset/", views.password_reset, name="account_reset_password"),
    path("password/reset/done/", views.password_reset_done, name="account_reset_password_done"),
    re_path(
        r"^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        views.password_reset_from_key,
        name="account_reset_password_from_key",
    ),
    path(
        "password/reset/key/done/",
        views.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
    path("reauthenticate/", views.reauthenticate, name="account_reauthenticate"),
    path("inactive/", views.account_inactive, name="account_inactive"),
    # allauth's templates and redirects name it; the adapter keeps it closed.
    path("closed/", views.signup, name="account_signup"),
]

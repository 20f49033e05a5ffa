"""The few account pages that we offer, under /accounts/, with allauth's names; sign-in and sign-out stand in urls.py.

What allauth would guard by its own re-authentication is guarded by ours.
"""

from allauth.account import views
from allauth.mfa.base import views as second_factor
from allauth.mfa.webauthn import views as passkeys
from django.urls import path, re_path
from django.views.decorators.cache import never_cache

from console.account import confirming, security, session_list
from console.reauthentication import confirmed
from console.single_sign_on import views as sign_on

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
    path("reauthenticate/", confirming.confirm, name="account_reauthenticate"),
    path("inactive/", views.account_inactive, name="account_inactive"),
    # allauth's templates and redirects name it; the adapter keeps it closed.
    path("closed/", views.signup, name="account_signup"),
    # sessions
    path("sessions/", session_list.listed, name="usersessions_list"),
    path("sessions/<int:number>/end/", session_list.end, name="session_end"),
    path("sessions/end-others/", session_list.end_others, name="session_end_others"),
    # the second factor
    path("second-factor/", second_factor.authenticate, name="mfa_authenticate"),
    path("security/", security.overview, name="mfa_index"),
    path("security/app/", never_cache(confirmed(security.add_app)), name="mfa_activate_totp"),
    path("security/app/remove/", confirmed(security.remove_app), name="mfa_deactivate_totp"),
    path("security/recovery-codes/", security.recovery_codes, name="mfa_view_recovery_codes"),
    path("security/recovery-codes/show/", security.show_recovery_codes, name="recovery_codes_show"),
    path("security/recovery-codes/make/", security.make_recovery_codes, name="recovery_codes_make"),
    path(
        "security/recovery-codes/download/", security.download_recovery_codes, name="recovery_codes_download"
    ),
    path("security/passkeys/add/", confirmed(security.add_passkey), name="mfa_add_webauthn"),
    path(
        "security/passkeys/<int:pk>/remove/",
        confirmed(security.remove_passkey),
        name="mfa_remove_webauthn",
    ),
    path("passkey/", passkeys.login_webauthn, name="mfa_login_webauthn"),
    # single sign-on
    path("single-sign-on/", sign_on.leave, name="single_sign_on"),
    path("single-sign-on/confirm/", sign_on.confirm, name="single_sign_on_confirm"),
    path("single-sign-on/return/", sign_on.come_back, name="single_sign_on_callback"),
]

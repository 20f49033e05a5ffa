"""Addresses under /people/."""

from django.urls import path

from console.people import joining, views

urlpatterns = [
    path("", views.listed, name="person_list"),
    path("invite/", views.invite, name="person_invite"),
    path("join/<str:who>/<str:proof>/", joining.join, name="person_join"),
    path("<int:number>/", views.detail, name="person_detail"),
    path("<int:number>/role/", views.change_role, name="person_role"),
    path("<int:number>/invite-again/", views.invite_again, name="person_invite_again"),
    path("<int:number>/switch-off/", views.deactivate, name="person_deactivate"),
    path("<int:number>/switch-on/", views.reactivate, name="person_reactivate"),
    path("<int:number>/sign-out/", views.sign_out, name="person_sign_out"),
    path("<int:number>/reset-second-factor/", views.reset_second_factor, name="person_reset_second_factor"),
]

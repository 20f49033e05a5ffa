"""Addresses of notifications."""

from django.urls import path

from console.notifications import views

urlpatterns = [
    path("", views.listed, name="notification_list"),
    path("new/<slug:channel>/", views.create, name="notification_create"),
    path("<int:number>/", views.detail, name="notification_detail"),
    path("<int:number>/edit/", views.edit, name="notification_edit"),
    path("<int:number>/test/", views.send_test, name="notification_test"),
    path("<int:number>/secret/", views.secret, name="notification_secret"),
    path("<int:number>/delete/", views.delete, name="notification_delete"),
    path("deliveries/<int:number>/again/", views.again, name="notification_again"),
]

"""Subscriptions: listed, made, looked at, edited, tried, given a new secret, deleted; and deliveries made again."""

from __future__ import annotations

import logging
from typing import Any

from django.contrib import messages
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from console import tasks
from console.access import Permission, can, requires
from console.encryption import Sealed
from console.http import Request, page
from console.models import User
from console.notices import subscribing
from console.notices.kinds import Channel, DeliveryState, Kind
from console.notices.rows import Delivery, Subscription
from console.notifications.forms import SubscriptionForm, names_of
from console.reauthentication import confirmed
from deployments.models import Deployment

logger = logging.getLogger(__name__)

MOST_SHOWN = 200
"""Subscriptions on the page."""
MOST_DELIVERIES = 50
REFRESH_SECONDS = 3


@require_safe
@requires(Permission.CLUSTERS)
def listed(request: Request) -> HttpResponse:
    waiting = Count("deliveries", filter=Q(deliveries__state=DeliveryState.WAITING))
    subscriptions = list(_visible_to(request.user).annotate(waiting=waiting)[:MOST_SHOWN])
    for each in subscriptions:
        each.standing = _standing(each)  # type: ignore[attr-defined]
    context = {"subscriptions": subscriptions, **_deliveries(Delivery.objects.all())}
    return page(request, "console/notifications/list.html", context, fragment="deliveries")


@require_safe
@requires(Permission.CLUSTERS)
def detail(request: Request, number: int) -> HttpResponse:
    subscription = _find(request, number)
    context = {
        "subscription": subscription,
        "standing": _standing(subscription),
        "kinds": [Kind(kind).label for kind in subscription.kinds if kind in set(Kind)],
        "chosen": names_of(subscription) if subscription.deployments else None,
        "both_sign": subscription.previous_until and timezone.now() < subscription.previous_until,
        **_deliveries(subscription.deliveries.all()),
    }
    return page(request, "console/notifications/detail.html", context, fragment="deliveries")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.CLUSTERS)
@confirmed
def create(request: Request, channel: str) -> HttpResponse:
    if channel not in set(Channel):
        raise Http404
    subscription = Subscription(channel=channel)
    form = _form(request, subscription)
    if request.method == "POST" and form.is_valid():
        secret = subscribing.save(subscription, form.wanted(), request.user)
        if secret:
            return _shown_once(request, subscription, Sealed.of(secret))
        messages.success(request, f"{subscription} is made. Send a test to see whether it arrives.")
        return redirect("notification_detail", subscription.pk)
    return _shown(request, form, f"Notify by {Channel(channel).label.lower()}")


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.CLUSTERS)
@confirmed
def edit(request: Request, number: int) -> HttpResponse:
    subscription = _find(request, number)
    form = _form(request, subscription)
    if request.method == "POST" and form.is_valid():
        subscribing.save(subscription, form.wanted(), request.user)
        messages.success(request, f"{subscription} is saved.")
        return redirect("notification_detail", subscription.pk)
    return _shown(request, form, "Edit")


@require_POST
@requires(Permission.CLUSTERS)
def send_test(request: Request, number: int) -> HttpResponse:
    subscription = _find(request, number)
    if not subscription.is_on:
        messages.error(request, f"{subscription} is off. Switch it on first.")
    else:
        _hint(subscribing.send_test(subscription, request.user).pk)
        messages.success(request, "A test is under way. Below you see whether it arrived.")
    return redirect("notification_detail", subscription.pk)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.CLUSTERS)
@confirmed
def secret(request: Request, number: int) -> HttpResponse:
    """GET asks; POST makes a new secret and shows it, in this one answer."""
    subscription = _find(request, number)
    if not subscription.is_webhook:
        raise Http404
    if request.method == "POST":
        return _shown_once(request, subscription, Sealed.of(subscribing.rotate(subscription)))
    return page(request, "console/notifications/secret.html", {"subscription": subscription})


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.CLUSTERS)
@confirmed
def delete(request: Request, number: int) -> HttpResponse:
    subscription = _find(request, number)
    if request.method == "POST":
        subscribing.remove(subscription)
        messages.success(request, f"{subscription} is deleted.")
        return redirect("notification_list")
    waiting = subscription.deliveries.filter(state=DeliveryState.WAITING).count()
    return page(
        request, "console/notifications/delete.html", {"subscription": subscription, "waiting": waiting}
    )


@require_POST
@requires(Permission.CLUSTERS)
def again(request: Request, number: int) -> HttpResponse:
    """A delivery, at once and for another day."""
    visible = Delivery.objects.filter(subscription__in=_visible_to(request.user)).with_words()
    delivery = get_object_or_404(visible, pk=number)
    if not delivery.subscription.is_on:
        messages.error(request, f"{delivery.subscription} is off. Switch it on first.")
    else:
        subscribing.deliver_again(delivery)
        _hint(delivery.pk)
        messages.success(request, f"“{delivery.notice.label}” is sent to {delivery.subscription} again.")
    return redirect("notification_detail", delivery.subscription_id)


def _visible_to(user: User) -> QuerySet[Subscription]:
    return Subscription.objects.all() if can(user, Permission.CLUSTERS) else Subscription.objects.none()


def _find(request: Request, number: int) -> Subscription:
    return get_object_or_404(_visible_to(request.user).select_related("created_by"), pk=number)


def _form(request: Request, subscription: Subscription) -> SubscriptionForm:
    visible = Deployment.objects.visible_to(request.user)
    return SubscriptionForm(subscription, visible, request.POST if request.method == "POST" else None)


def _shown(request: Request, form: SubscriptionForm, heading: str) -> HttpResponse:
    context = {"form": form, "subscription": form.subscription, "heading": heading}
    return page(request, "console/notifications/form.html", context, status=422 if form.errors else 200)


def _shown_once(request: Request, subscription: Subscription, text: Sealed) -> HttpResponse:
    context = {"subscription": subscription, "text": text}
    return page(request, "console/notifications/secret_made.html", context)


def _deliveries(deliveries: QuerySet[Delivery]) -> dict[str, Any]:
    """The newest, and how soon to look again while one is about to be sent."""
    found = list(deliveries.select_related("notice", "subscription").order_by("-id")[:MOST_DELIVERIES])
    moving = any(each.state == DeliveryState.WAITING and each.attempts == 0 for each in found)
    return {"deliveries": found, "every": REFRESH_SECONDS if moving else 0}


def _standing(subscription: Subscription) -> dict[str, str]:
    """Tone, icon and label of its badge."""
    if not subscription.is_on:
        return {"tone": "idle", "icon": "bell-off", "label": "Off"}
    if subscription.failing_since is not None:
        return {"tone": "bad", "icon": "octagon-x", "label": "Not arriving"}
    return {"tone": "good", "icon": "bell", "label": "On"}


def _hint(delivery_id: int) -> None:
    """Asks for it at once. Without a broker, the tick finds the due row as soon as there is one again."""
    try:
        tasks.deliver_one.apply_async((delivery_id,), retry=False)
    except Exception as error:  # the broker's client has many ways of failing, and none of them matters here
        logger.warning("No hint could be sent for delivery %s: %s", delivery_id, type(error).__name__)

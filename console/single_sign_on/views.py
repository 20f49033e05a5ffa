"""Where people leave for the provider, and where they come back."""

import secrets
from typing import Any

from allauth.account.utils import get_next_redirect_url
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.helpers import render_authentication_error
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST
from requests import RequestException

from console.http import Request
from console.single_sign_on import is_on
from console.single_sign_on.arrivals import REAUTHENTICATION
from console.single_sign_on.provider import Exchange, Refused

_RECENT = 120
"""Seconds that a sign-in at the provider may lie back to count as a confirmation."""


@require_POST
def leave(request: HttpRequest) -> HttpResponse:
    """To the provider, and after signing in there to where `next` says."""
    return _send(request, {"for": "sign-in"}, {})


@require_POST
@login_required
def confirm(request: Request) -> HttpResponse:
    """To the provider, which is asked to have the person sign in there once more."""
    return _send(
        request, {"for": REAUTHENTICATION, "max_age": _RECENT}, {"prompt": "login", "max_age": str(_RECENT)}
    )


@require_GET
def come_back(request: HttpRequest) -> HttpResponse:
    """From the provider: every check of the answer, then in, or a page that says why not."""
    exchange = _exchange(request)
    # RFC 9207: a provider that names itself must be the one that the person was sent to.
    if request.GET.get("iss", settings.OIDC_ISSUER) != settings.OIDC_ISSUER:
        return _failed(request, exchange, Refused("The answer names another issuer."))
    view = _Return()
    view.request, view.adapter = request, exchange
    try:
        answer: HttpResponse = view.dispatch(request)
    except ImmediateHttpResponse as immediate:
        return immediate.response
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        # A provider that answers with something else than the protocol says.
        return _failed(request, exchange, error)
    return answer


class _Return(OAuth2CallbackView):
    def _get_state(self, request: HttpRequest, provider: Any) -> tuple[Any, Any]:
        """The state is taken out of the session, so an answer counts once."""
        state, response = super()._get_state(request, provider)
        if state is not None:
            self.adapter.expect(state)
        return state, response


def _send(request: HttpRequest, data: dict[str, Any], params: dict[str, str]) -> HttpResponse:
    exchange = _exchange(request)
    nonce = secrets.token_urlsafe(32)
    try:
        answer = exchange.get_provider().redirect(
            request,
            process="login",
            next_url=get_next_redirect_url(request),
            data={**data, "nonce": nonce},
            auth_params={**params, "nonce": nonce},
        )
    except (OAuth2Error, RequestException, ValueError) as error:
        return _failed(request, exchange, error)
    if not isinstance(answer, HttpResponseRedirect):
        return answer
    # Browsers hold a form to the content policy through every redirect, and the policy knows no other site. A page of
    # ours that leads on by itself is no form.
    response = render(request, "account/leaving.html", {"url": answer.url, "name": settings.OIDC_NAME})
    response.headers["Cache-Control"] = "no-store"
    return response


def _failed(request: HttpRequest, exchange: Exchange, error: Exception) -> HttpResponse:
    answer: HttpResponse = render_authentication_error(request, exchange.get_provider(), exception=error)
    return answer


def _exchange(request: HttpRequest) -> Exchange:
    if not is_on():
        raise Http404
    return Exchange(request, settings.OIDC_ISSUER)

"""The page that asks people to prove again who they are, by any way that they have."""

from typing import Any

from allauth.account.forms import ReauthenticateForm
from allauth.account.internal.flows.reauthentication import reauthenticate_by_password
from allauth.account.utils import get_next_redirect_url
from allauth.core import ratelimit
from allauth.mfa.base.forms import ReauthenticateForm as CodeForm
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.internal import auth as passkeys
from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, HttpResponseRedirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from console.http import Request, page
from console.second_factor.passkey_forms import ReauthenticatePasskeyForm
from console.sign_in import takes_password
from console.single_sign_on import is_on


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def confirm(request: Request) -> HttpResponse:
    user = request.user
    types = set(Authenticator.objects.filter(user=user).values_list("type", flat=True))
    forms: dict[str, Any] = {}
    if user.has_usable_password() and takes_password(user):
        forms["password"] = ReauthenticateForm
    if Authenticator.Type.TOTP in types:
        forms["code"] = CodeForm
    if Authenticator.Type.WEBAUTHN in types:
        forms["passkey"] = ReauthenticatePasskeyForm
    way = request.POST.get("way", "")
    made = {name: form(request.POST if name == way else None, user=user) for name, form in forms.items()}
    if request.method == "POST":
        if limited := ratelimit.consume_or_429(request, action="reauthenticate", user=user):
            return limited
        if way in made and made[way].is_valid():
            if way == "password":
                reauthenticate_by_password(request)
            else:
                made[way].save()
            return HttpResponseRedirect(get_next_redirect_url(request) or "/")
    context = {
        "forms": made,
        "bad": made.get(way) if request.method == "POST" else None,
        "next": get_next_redirect_url(request) or "/",
        "sign_on": settings.OIDC_NAME if is_on() and _is_linked(request) else "",
        "js_data": passkeys.begin_authentication(user) if "passkey" in made else None,
    }
    return page(request, "account/reauthenticate.html", context)


def _is_linked(request: Request) -> bool:
    return SocialAccount.objects.filter(user=request.user, provider=settings.OIDC_ISSUER).exists()

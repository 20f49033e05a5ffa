"""What protects one's own account: the password, an authenticator app, passkeys and recovery codes."""

from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal import flows
from allauth.mfa.totp.views import ActivateTOTPView, DeactivateTOTPView
from allauth.mfa.webauthn.views import AddWebAuthnView, RemoveWebAuthnView
from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from console.account import qr
from console.audit import record
from console.http import Request, page
from console.reauthentication import confirmed, confirmed_post
from console.second_factor import policy
from console.sign_in import takes_password

_CODES = "account/recovery_codes.html"


@require_safe
@login_required
def overview(request: Request) -> HttpResponse:
    found = list(Authenticator.objects.filter(user=request.user).order_by("created_at"))
    by_type = {each.type: each for each in found}
    recovery = by_type.get(Authenticator.Type.RECOVERY_CODES)
    context = {
        "app": by_type.get(Authenticator.Type.TOTP),
        "passkeys": [each for each in found if each.type == Authenticator.Type.WEBAUTHN],
        "recovery": recovery,
        "codes_left": len(recovery.wrap().get_unused_codes()) if recovery else 0,
        "takes_password": takes_password(request.user),
        "linked": SocialAccount.objects.filter(user=request.user).exists(),
        "sign_on_name": settings.OIDC_NAME,
        "is_required": policy.is_required(request.user) and not policy.came_by_single_sign_on(request),
        "has_factor": any(each.type in policy.FACTORS for each in found),
    }
    return page(request, "account/security.html", context)


class ActivateApp(ActivateTOTPView):
    """The form that couples an authenticator app, with the QR code as a path."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return {**context, "code": qr.draw(context["totp_url"])}

    @transaction.atomic
    def form_valid(self, form: Any) -> HttpResponse:
        answer: HttpResponse = super().form_valid(form)
        record("person.second_factor_added", self.request.user, after={"factor": "authenticator app"})
        return answer


class RemoveApp(DeactivateTOTPView):
    @transaction.atomic
    def form_valid(self, form: Any) -> HttpResponse:
        answer: HttpResponse = super().form_valid(form)
        record("person.second_factor_removed", self.request.user, before={"factor": "authenticator app"})
        return answer


class AddPasskey(AddWebAuthnView):
    """The form that adds a passkey: one that can sign in by itself, where the device is able to keep such."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        options = context["js_data"]["creation_options"]["publicKey"]
        options["authenticatorSelection"] = {
            **options.get("authenticatorSelection", {}),
            "residentKey": "preferred",
            "requireResidentKey": False,
        }
        return {**context, **kwargs}

    @transaction.atomic
    def form_valid(self, form: Any) -> HttpResponse:
        answer: HttpResponse = super().form_valid(form)
        name = form.cleaned_data["name"]
        record("person.second_factor_added", self.request.user, after={"factor": f"passkey {name}"})
        return answer


class RemovePasskey(RemoveWebAuthnView):
    success_url = reverse_lazy("mfa_index")

    @transaction.atomic
    def form_valid(self, form: Any) -> HttpResponse:
        name = str(self.get_object())
        answer: HttpResponse = super().form_valid(form)
        record("person.second_factor_removed", self.request.user, before={"factor": f"passkey {name}"})
        return answer


@never_cache
@require_safe
@login_required
def recovery_codes(request: Request) -> HttpResponse:
    """How many are left. They are shown by a POST, and once."""
    return _page_of_codes(request, [])


@never_cache
@require_POST
@confirmed_post(lambda: "/accounts/security/recovery-codes/")
def show_recovery_codes(request: Request) -> HttpResponse:
    found, may_show = flows.view_recovery_codes(request)
    if found is None or not may_show:
        messages.warning(request, "Recovery codes are shown once. Make new ones if these are lost.")
        return redirect("mfa_view_recovery_codes")
    return _page_of_codes(request, found.get_unused_codes())


@never_cache
@require_POST
@confirmed_post(lambda: "/accounts/security/recovery-codes/")
def make_recovery_codes(request: Request) -> HttpResponse:
    """New ones; the earlier ones stop working."""
    if not policy.has_one(request.user):
        messages.error(
            request, "Recovery codes stand in for an authenticator app or a passkey. Add one first."
        )
        return redirect("mfa_index")
    with transaction.atomic():
        made = flows.generate_recovery_codes(request).wrap()
        made.mark_as_viewed()
        record("person.recovery_codes_made", request.user)
    return _page_of_codes(request, made.get_unused_codes())


@never_cache
@require_POST
@confirmed
def download_recovery_codes(request: Request) -> HttpResponse:
    """The codes that the page shows, as a file: only who has them gets them."""
    held = Authenticator.objects.filter(user=request.user, type=Authenticator.Type.RECOVERY_CODES).first()
    codes = held.wrap().get_unused_codes() if held else []
    if not codes or request.POST.get("codes", "").split() != codes:
        messages.warning(request, "These are not your recovery codes any more.")
        return redirect("mfa_view_recovery_codes")
    answer = HttpResponse("\n".join(codes) + "\n", content_type="text/plain; charset=utf-8")
    answer.headers["Content-Disposition"] = 'attachment; filename="slipway-recovery-codes.txt"'
    return answer


def _page_of_codes(request: Request, codes: list[str]) -> HttpResponse:
    held = Authenticator.objects.filter(user=request.user, type=Authenticator.Type.RECOVERY_CODES).first()
    wrapped = held.wrap() if held else None
    context = {
        "codes": codes,
        "held": held,
        "left": len(wrapped.get_unused_codes()) if wrapped else 0,
        "was_shown": wrapped.did_view if wrapped else False,
        "may_make": policy.has_one(request.user),
    }
    return page(request, _CODES, context)


add_app, remove_app = ActivateApp.as_view(), RemoveApp.as_view()
add_passkey, remove_passkey = AddPasskey.as_view(), RemovePasskey.as_view()

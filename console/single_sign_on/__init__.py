"""Signing in at a provider that speaks OpenID Connect.

provider.py exchanges and verifies, role_map.py reads what groups grant, arrivals.py decides who may come in and as
what, views.py has the addresses. It is on when OIDC_ISSUER is set.
"""

from django.conf import settings


def is_on() -> bool:
    return bool(settings.OIDC_ISSUER)

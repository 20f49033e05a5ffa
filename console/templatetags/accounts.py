"""What the sign-in page asks of the settings: `{% load accounts %}`."""

from django import template
from django.conf import settings

from console.single_sign_on import is_on

register = template.Library()


@register.simple_tag
def sign_on() -> dict[str, object]:
    """The provider of single sign-on: its name, and whether it is the only way in. Empty when there is none."""
    return {"name": settings.OIDC_NAME, "only": settings.OIDC_ONLY} if is_on() else {}

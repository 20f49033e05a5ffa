"""One form per step: fields to a raw part of the document, and its problems back to the fields.

Forms judge nothing themselves: the document's readers do, through reading.py.
"""

from collections.abc import Callable

from django.http import QueryDict

from deployments.wizard.forms.autoscaling import AutoscalingForm
from deployments.wizard.forms.base import SectionForm
from deployments.wizard.forms.engines import engine_form
from deployments.wizard.forms.environment import EnvironmentForm
from deployments.wizard.forms.general import GeneralForm
from deployments.wizard.forms.pricing import PricingForm
from deployments.wizard.forms.rate_limits import RateLimitsForm
from deployments.wizard.forms.resources import ResourcesForm
from deployments.wizard.work import Work

#: By slug of the step: from a draft and, for a request, what was posted.
FORMS: dict[str, Callable[[Work, QueryDict | None], SectionForm]] = {
    "general": GeneralForm,
    "engine": engine_form,
    "resources": ResourcesForm,
    "autoscaling": AutoscalingForm,
    "environment": EnvironmentForm,
    "rate-limits": RateLimitsForm,
    "pricing": PricingForm,
}

__all__ = ["FORMS", "SectionForm"]

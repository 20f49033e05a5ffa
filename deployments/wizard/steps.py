"""The pages of the wizard in their order, and which part of the document each one fills."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    slug: str
    """In addresses, and the key of its part in a draft's sections."""
    title: str
    lede: str
    key: str = ""
    """The key under "spec" in the document; empty when the step is spread over it or fills nothing."""
    advised: bool = False
    """True where the numbers can be held against the cluster while they are chosen."""

    @property
    def in_sentence(self) -> str:
        """The title inside a sentence: "Continue to rate limits"."""
        return self.title.lower()


GENERAL = Step("general", "General", "What it is called and where it is served.")
ENGINE = Step("engine", "Engine", "The program that serves the model.", "engine", advised=True)
RESOURCES = Step("resources", "Resources", "What each replica gets.", "resources", advised=True)
AUTOSCALING = Step(
    "autoscaling", "Autoscaling", "Replicas that follow the load.", "autoscaling", advised=True
)
ENVIRONMENT = Step(
    "environment", "Environment", "Variables that each replica is started with.", "environment"
)
RATE_LIMITS = Step("rate-limits", "Rate limits", "How much one caller may ask for.", "rateLimits")
PRICING = Step("pricing", "Pricing", "What the tokens cost.", "pricing")
REVIEW = Step("review", "Review", "Everything once more. Nothing happens before you deploy.")

STEPS = (GENERAL, ENGINE, RESOURCES, AUTOSCALING, ENVIRONMENT, RATE_LIMITS, PRICING, REVIEW)
BY_SLUG = {step.slug: step for step in STEPS}
#: The steps that fill something in, so all but the review.
FILLED = STEPS[:-1]


def after(step: Step) -> Step:
    """The next step; the review follows itself."""
    return STEPS[min(STEPS.index(step) + 1, len(STEPS) - 1)]


def before(step: Step) -> Step | None:
    """The step before, None for the first."""
    place = STEPS.index(step)
    return STEPS[place - 1] if place else None


def of_path(path: str) -> Step:
    """The step where a problem with this path of the document is mended."""
    for step in FILLED:
        if step.key and (path + ".").replace("[", ".").startswith(f"spec.{step.key}."):
            return step
    return GENERAL

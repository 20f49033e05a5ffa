"""What is told, with the words that people see. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Kind(StrEnum):
    """A kind of notice; the value is the `type` of a webhook."""

    label: str
    meaning: str
    """The rest of a sentence, after the label and a colon."""

    DEPLOYMENT_FAILED = (
        "deployment.failed",
        "Deployment failed",
        "a rollout failed or a model stopped serving",
    )
    DEPLOYMENT_RECOVERED = "deployment.recovered", "Deployment recovered", "it serves again"
    LATENCY_ABOVE = (
        "latency.above_target",
        "Latency above target",
        "TTFT or ITL was above its target for an hour",
    )
    LATENCY_BACK = "latency.back_on_target", "Latency back on target", "the first hour below it again"
    LIMIT_80 = (
        "organization.limit_80",
        "80 % of a rate limit used",
        "an organisation comes near a rate limit of a deployment",
    )
    LIMIT_100 = (
        "organization.limit_100",
        "Rate limit reached",
        "an organisation used all of a rate limit; more is refused",
    )
    BUDGET_80 = (
        "organization.budget_80",
        "80 % of a budget used",
        "an organisation used four fifths of its month’s budget",
    )
    BUDGET_100 = (
        "organization.budget_100",
        "Budget used up",
        "an organisation used its month’s budget; nothing is stopped",
    )
    TEST = "slipway.test", "Test", "Sent by hand"

    def __new__(cls, value: str, label: str = "", meaning: str = "") -> Self:
        kind = str.__new__(cls, value)
        kind._value_ = value
        kind.label, kind.meaning = label, meaning
        return kind

    @classmethod
    def offered(cls) -> list[Kind]:
        """Those that one can subscribe to."""
        return [kind for kind in cls if kind is not cls.TEST]


class Channel(StrEnum):
    """How a subscription is told."""

    label: str

    EMAIL = "email", "E-mail"
    WEBHOOK = "webhook", "Webhook"

    def __new__(cls, value: str, label: str = "") -> Self:
        channel = str.__new__(cls, value)
        channel._value_ = value
        channel.label = label
        return channel


class DeliveryState(StrEnum):
    """How far a delivery is, with its tone and icon."""

    label: str
    tone: str

    WAITING = "waiting", "Waiting", "busy"
    DELIVERED = "delivered", "Delivered", "good"
    GIVEN_UP = "given_up", "Given up", "bad"

    def __new__(cls, value: str, label: str = "", tone: str = "idle") -> Self:
        state = str.__new__(cls, value)
        state._value_ = value
        state.label, state.tone = label, tone
        return state

"""The audit's words for people: "deployment.drift_policy_changed" is "Deployment drift policy changed"."""

from __future__ import annotations

from console.audit.context import ActorKind

_NOUNS = {
    "api_key": "API key",
    "accesskey": "Access key",
    "organization": "Organisation",
    "sign_in": "Sign-in",
}
ACTORS = {
    ActorKind.PERSON.value: "Person",
    ActorKind.PROGRAM.value: "Program",
    ActorKind.ACCESS_KEY.value: "Access key",
    ActorKind.NOBODY.value: "Not signed in",
}


def action(code: str) -> str:
    noun, _, verb = code.partition(".")
    return f"{kind(noun)} {verb.replace('_', ' ')}".strip()


def kind(code: str) -> str:
    return _NOUNS.get(code) or code.replace("_", " ").capitalize()

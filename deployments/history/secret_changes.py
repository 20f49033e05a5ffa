"""Which secret variables have another value in one revision than in another: names leave this module, values do not."""

from __future__ import annotations

from console.encryption import UnreadableSecret
from deployments.models import Revision


def between(old: Revision, new: Revision) -> frozenset[str]:
    """Names that both have, with different values. Opens the secrets; of those that no key opens nothing is said."""
    try:
        before, after = old.secret_values(), new.secret_values()
    except UnreadableSecret:
        return frozenset()
    return frozenset(name for name in before.keys() & after.keys() if before[name] != after[name])

"""How far a deployment is over what is allowed, as one number to sort by. Pure."""

from __future__ import annotations

#: The share of requests that the engine may fail before that alone is worse than a latency at its target.
FAILURES_ALLOWED = 0.01


def strain(
    p95_us: tuple[float | None, float | None],
    targets_ms: tuple[int | None, int | None],
    requests: int,
    failed: int,
) -> float | None:
    """The greatest of p95 / target for TTFT and ITL and of failures / 1 %; 1 is just at the limit, more is over it.

    None where there is nothing to tell by: no requests at all.
    """
    if not requests:
        return None
    ratios = [failed / requests / FAILURES_ALLOWED]
    for value, target in zip(p95_us, targets_ms, strict=True):
        if value is not None and target:
            ratios.append(value / (target * 1000))
    return max(ratios)

"""How often the API was asked for what: the measure of our own thrift, read by the benchmark."""

from __future__ import annotations

from collections import Counter


class Counts:
    """Requests by verb and resource, for example `list pods`."""

    def __init__(self) -> None:
        self._seen: Counter[tuple[str, str]] = Counter()

    def note(self, verb: str, resource: str) -> None:
        """One request more."""
        self._seen[verb, resource] += 1

    def clear(self) -> None:
        """Start again from zero."""
        self._seen.clear()

    def told(self) -> dict[str, object]:
        """The total and the single counts, largest first."""
        return {
            "total": self._seen.total(),
            "requests": [
                {"verb": verb, "resource": resource, "count": count}
                for (verb, resource), count in self._seen.most_common()
            ],
        }

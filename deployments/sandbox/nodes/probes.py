"""Probes: when the kubelet asks a container, what it hears, and when it gives up.

A probe that has succeeded is not repeated: in the sandbox its answer can only change together with the process,
and the kubelet notices that by itself. So hundreds of ready pods cost nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from deployments.sandbox.engines.boot import Boot
from deployments.sandbox.settings import Settings

STARTUP, LIVENESS, READINESS = "Startup", "Liveness", "Readiness"
FIELDS = {STARTUP: "startupProbe", LIVENESS: "livenessProbe", READINESS: "readinessProbe"}


@dataclass(slots=True)
class Probe:
    """One probe of one running container."""

    kind: str
    spec: dict[str, Any]
    next_at: datetime | None
    failures: int = 0
    successes: int = 0
    passed: bool = False

    @property
    def exhausted(self) -> bool:
        """Whether it failed as often as it may."""
        return self.failures >= int(self.spec.get("failureThreshold", 3))


def make_probe(kind: str, container: dict[str, Any], start: datetime, settings: Settings) -> Probe | None:
    """The container's probe of a kind, due after its initial delay; None when it has none."""
    spec = container.get(FIELDS[kind])
    if not spec:
        return None
    return Probe(kind, spec, start + settings.real(float(spec.get("initialDelaySeconds", 0))))


def ask(
    probe: Probe,
    container: dict[str, Any],
    boot: Boot,
    serving: bool,
    now: datetime,
    settings: Settings,
    *,
    early: bool = False,
) -> str:
    """Run a due probe and note the result; returns the sentence of a failure, or an empty string.

    `early` says that the process answers its early paths already.
    """
    failure = _answer(probe.spec, container, boot, serving, early)
    period = settings.real(float(probe.spec.get("periodSeconds", 10)))
    probe.next_at = now + period
    if failure:
        probe.failures += 1
        probe.successes = 0
        return f"{probe.kind} probe failed: {failure}"
    probe.failures = 0
    probe.successes += 1
    if probe.successes >= int(probe.spec.get("successThreshold", 1)):
        probe.passed, probe.next_at = True, None
    return ""


def _answer(spec: dict[str, Any], container: dict[str, Any], boot: Boot, serving: bool, early: bool) -> str:
    if "httpGet" in spec:
        return _http(spec["httpGet"], container, boot, serving, early)
    for field in ("tcpSocket", "grpc"):
        if field in spec:
            port = _port(spec[field].get("port"), container)
            open_ = serving and port == boot.port
            return "" if open_ else f"dial tcp 127.0.0.1:{port}: connect: connection refused"
    return ""


def _http(get: dict[str, Any], container: dict[str, Any], boot: Boot, serving: bool, early: bool) -> str:
    port, path = _port(get.get("port"), container), get.get("path") or "/"
    scheme = str(get.get("scheme", "HTTP")).lower()
    if not (serving or early) or port != boot.port:
        url = f'Get "{scheme}://127.0.0.1:{port}{path}"'
        return f"{url}: dial tcp 127.0.0.1:{port}: connect: connection refused"
    plain = path.split("?", 1)[0]
    if plain in (boot.open_paths if serving else boot.early_paths):
        return ""
    if not serving:
        return "HTTP probe failed with statuscode: 503"
    return f"HTTP probe failed with statuscode: {401 if plain.startswith('/v1/') else 404}"


def _port(port: Any, container: dict[str, Any]) -> int:
    """The number behind a port that may be given by its name."""
    if isinstance(port, str) and not port.isdigit():
        named = [each["containerPort"] for each in container.get("ports") or [] if each.get("name") == port]
        return int(named[0]) if named else 0
    return int(port or 0)

"""What the sandbox cluster is made of and how fast it moves.

One frozen value, so that a test can describe its cluster in one line and the controllers never read the
environment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

GIB = 1024**3


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """One simulated machine; quantities as Kubernetes writes them, GPU memory in MiB per card."""

    name: str
    cpu: str
    memory: str
    ephemeral_storage: str = "1800Gi"
    pods: int = 110
    gpu_product: str = ""
    gpus: int = 0
    gpu_memory_mib: int = 0
    zone: str = "sandbox-a"


DEFAULT_NODES = (
    NodeSpec("gpu-h100-1", "192", "2048Gi", "7000Gi", 250, "NVIDIA-H100-80GB-HBM3", 8, 81559),
    NodeSpec("gpu-h100-2", "192", "2048Gi", "7000Gi", 250, "NVIDIA-H100-80GB-HBM3", 8, 81559),
    NodeSpec("gpu-l40s-1", "64", "512Gi", "3500Gi", 110, "NVIDIA-L40S", 4, 46068),
    NodeSpec("cpu-1", "32", "128Gi"),
)

# Fields of the settings that stand for an add-on, and the API group that comes with it.
_ADDONS = {"nim_operator": "apps.nvidia.com", "keda": "keda.sh", "dynamo": "nvidia.com"}
DYNAMO_VERSIONS = ("v1beta1", "v1alpha1")


@dataclass(frozen=True, slots=True)
class Settings:
    """The pace and the shape of the cluster. Durations are simulated seconds; `speed` turns them into real ones."""

    nodes: tuple[NodeSpec, ...] = DEFAULT_NODES
    # How many simulated seconds pass in a real one: pulls, loads, probes, back-offs, grace and autoscaler windows.
    speed: float = 1.0
    pull_bytes_per_second: int = 2 * GIB
    download_bytes_per_second: int = 2 * GIB
    load_bytes_per_second: int = 4 * GIB
    import_seconds: float = 2.0
    warm_up_seconds: float = 3.0
    # Of a request on an idle engine: until the first token, per 1,000 prompt tokens, and between tokens.
    ttft_seconds: float = 0.08
    prefill_seconds_per_1000: float = 0.05
    itl_seconds: float = 0.012
    # What an autoscaler sees: an idle engine, and one request in work.
    idle_millicores: int = 200
    millicores_per_request: int = 600
    autoscaler_period_seconds: float = 15.0
    downscale_window_seconds: float = 300.0
    # Add-ons that somebody has installed.
    nim_operator: bool = True
    keda: bool = True
    # The versions in which Dynamo's operator serves its kinds; none: no operator.
    dynamo: tuple[str, ...] = DYNAMO_VERSIONS

    def real(self, seconds: float) -> timedelta:
        """How long `seconds` of simulated time take on the wall."""
        return timedelta(seconds=seconds / self.speed)

    @property
    def absent(self) -> frozenset[str]:
        """The API groups of add-ons that this cluster does not have, and the versions that it does not serve."""
        versions = (f"nvidia.com/{each}" for each in DYNAMO_VERSIONS if each not in self.dynamo)
        return frozenset(
            (*(group for field, group in _ADDONS.items() if not getattr(self, field)), *versions)
        )

    def node(self, name: str) -> NodeSpec | None:
        """The machine of that name."""
        return next((node for node in self.nodes if node.name == name), None)


_FROM_ENVIRONMENT = {
    "SANDBOX_SPEED": "speed",
    "SANDBOX_IMPORT_SECONDS": "import_seconds",
    "SANDBOX_WARM_UP_SECONDS": "warm_up_seconds",
    "SANDBOX_TTFT_SECONDS": "ttft_seconds",
    "SANDBOX_ITL_SECONDS": "itl_seconds",
}

_SWITCHES = {"SANDBOX_NIM_OPERATOR": "nim_operator", "SANDBOX_KEDA": "keda"}


def read_settings(environ: Mapping[str, str]) -> Settings:
    """The default cluster with the pace and the add-ons that `SANDBOX_*` variables ask for.

    Raises ValueError naming the variable whose value is not a number, is negative, or is a speed of zero, and the
    switch that is neither 0 nor 1.
    """
    settings = Settings()
    for variable, field in _FROM_ENVIRONMENT.items():
        text = environ.get(variable, "").strip()
        if not text:
            continue
        try:
            value = float(text)
        except ValueError:
            raise ValueError(f"{variable}: {text!r} is not a number") from None
        if not 0 <= value < 1_000_000 or (field == "speed" and value == 0):
            raise ValueError(f"{variable}: {text} is out of range")
        settings = replace(settings, **{field: value})  # type: ignore[arg-type]
    for variable, field in _SWITCHES.items():
        text = environ.get(variable, "").strip()
        if text not in ("", "0", "1"):
            raise ValueError(f"{variable}: {text!r} is neither 0 nor 1")
        if text:
            settings = replace(settings, **{field: text == "1"})  # type: ignore[arg-type]
    if "SANDBOX_DYNAMO" in environ:
        versions = tuple(word.strip() for word in environ["SANDBOX_DYNAMO"].split(",") if word.strip())
        if not set(versions) <= set(DYNAMO_VERSIONS):
            raise ValueError(f"SANDBOX_DYNAMO: it takes {' and '.join(DYNAMO_VERSIONS)}, or nothing")
        settings = replace(settings, dynamo=versions)
    return settings

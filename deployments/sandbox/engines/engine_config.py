"""What one simulated engine is told when it starts: names, limits, pace and switches. A plain value without
behaviour.
"""

from __future__ import annotations

from dataclasses import dataclass

from deployments.sandbox.engines.weights import GENERATE


@dataclass(frozen=True, slots=True)
class DynamoPart:
    """`frontend`, `worker`, `prefill` or `decode`, in which of Dynamo's own namespaces, with which backend."""

    role: str
    namespace: str
    backend: str = "vllm"


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """One engine; tokens for lengths, seconds for times."""

    names: tuple[str, ...]
    # What /v1/models reports as root: the repository or path that was loaded.
    root: str
    version: str = "0.33.0"
    task: str = GENERATE
    max_model_len: int = 2_048
    max_num_seqs: int = 256
    # Running and waiting requests together; 0 for no limit.
    max_num_queued: int = 0
    kv_tokens: int = 131_072
    block_size: int = 16
    # Length of an embedding.
    hidden_size: int = 768
    api_key: str = ""
    shutdown_seconds: float = 0.0
    ttft_seconds: float = 0.08
    prefill_seconds_per_1000: float = 0.05
    itl_seconds: float = 0.012
    gpu_memory_utilization: str = "0.9"
    prefix_caching: bool = True
    tool_choice: bool = False
    force_usage: bool = False
    prompt_token_details: bool = False
    per_request_metrics: bool = False
    request_id_headers: bool = False
    load_tracking: bool = False
    # The part that the process has in one of Dynamo's graphs; None for an engine that serves by itself.
    dynamo: DynamoPart | None = None
    # Whose routes and metrics: `vllm`, or `nim1` and `nim2` for NVIDIA's packaging, whose version is `release`.
    flavour: str = "vllm"
    release: str = ""

    @property
    def name(self) -> str:
        """The first served name: the one in answers and in metric labels."""
        return self.names[0]

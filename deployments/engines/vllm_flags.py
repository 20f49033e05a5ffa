"""Which flags a version of vLLM knows, as far as we know: the parsers of five releases were read, from 0.18 to 0.33.

Between two of them a flag counts as known when one of the two knows it. A release after the last one may know more,
so nothing here refuses anything; the preflight warns. Pure: no Django, no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from deployments.engines import arguments

Version = tuple[int, int]

#: The releases whose parsers were read, oldest first.
READ: Final[tuple[Version, ...]] = ((0, 18), (0, 22), (0, 26), (0, 30), (0, 33))

_IN_ALL: Final = frozenset(
    """
    additional-config aggregate-engine-logging all2all-backend allow-credentials
    allow-deprecated-quantization allowed-headers allowed-local-media-path allowed-media-domains
    allowed-methods allowed-origins api-key api-server-count async-scheduling attention-backend
    attention-config block-size chat-template chat-template-content-format code-revision
    collect-detailed-traces compilation-config config config-format convert cp-kv-cache-interleave-size
    cpu-offload-gb cpu-offload-params cudagraph-capture-sizes cudagraph-metrics data-parallel-address
    data-parallel-backend data-parallel-external-lb data-parallel-hybrid-lb data-parallel-rank
    data-parallel-rpc-port data-parallel-size data-parallel-size-local data-parallel-start-rank
    dbo-decode-token-threshold dbo-prefill-token-threshold dcp-comm-backend dcp-kv-cache-interleave-size
    decode-context-parallel-size default-chat-template-kwargs default-mm-loras
    disable-access-log-for-endpoints disable-cascade-attn disable-chunked-mm-input
    disable-custom-all-reduce disable-fastapi-docs disable-hybrid-kv-cache-manager disable-log-stats
    disable-nccl-for-dp-synchronization disable-sliding-window disable-uvicorn-access-log
    distributed-executor-backend distributed-timeout-seconds download-dir dtype ec-transfer-config
    enable-auto-tool-choice enable-chunked-prefill enable-dbo enable-elastic-ep enable-ep-weight-filter
    enable-eplb enable-expert-parallel enable-flashinfer-autotune enable-force-include-usage
    enable-layerwise-nvtx-tracing enable-log-deltas enable-log-outputs enable-log-requests
    enable-logging-iteration-details enable-lora enable-mfu-metrics enable-mm-embeds enable-offline-docs
    enable-prefix-caching enable-prompt-embeds enable-prompt-tokens-details enable-request-id-headers
    enable-return-routed-experts enable-server-load-tracking enable-sleep-mode enable-ssl-refresh
    enable-tokenizer-info-endpoint enable-tower-connector-lora enforce-eager eplb-config
    exclude-tools-when-tool-choice-none expert-placement-strategy fail-on-environ-validation
    fully-sharded-loras gdn-prefill-backend generation-config gpu-memory-utilization grpc
    h11-max-header-count h11-max-incomplete-event-size headless hf-config-path hf-overrides hf-token
    host ignore-patterns interleave-mm-strings io-processor-plugin kernel-config kv-cache-dtype
    kv-cache-memory-bytes kv-cache-metrics kv-cache-metrics-sample kv-events-config
    kv-offloading-backend kv-offloading-size kv-sharing-fast-prefill kv-transfer-config
    language-model-only limit-mm-per-prompt load-format log-config-file log-error-stack
    logits-processors logprobs-mode long-prefill-token-threshold lora-dtype lora-modules
    mamba-block-size mamba-cache-dtype mamba-cache-mode mamba-ssm-cache-dtype master-addr master-port
    max-cpu-loras max-cudagraph-capture-size max-log-len max-logprobs max-lora-rank max-loras
    max-model-len max-num-batched-tokens max-num-seqs max-parallel-loading-workers media-io-kwargs
    middleware mm-encoder-attn-backend mm-encoder-only mm-encoder-tp-mode mm-processor-cache-gb
    mm-processor-cache-type mm-processor-kwargs mm-shm-cache-max-object-size-mb model model-impl
    model-loader-extra-config moe-backend nnodes node-rank num-gpu-blocks-override offload-backend
    offload-group-size offload-num-in-group offload-params offload-prefetch-step optimization-level
    otlp-traces-endpoint override-generation-config performance-mode pipeline-parallel-size
    pooler-config port prefill-context-parallel-size prefix-caching-hash-algo profiler-config
    pt-load-map-location quantization ray-workers-use-nsight reasoning-parser reasoning-parser-plugin
    response-role return-tokens-as-token-ids revision root-path runner safetensors-load-strategy
    scheduler-cls scheduling-policy seed served-model-name show-hidden-metrics-for-version
    shutdown-timeout skip-mm-profiling skip-tokenizer-init specialize-active-lora speculative-config
    ssl-ca-certs ssl-cert-reqs ssl-certfile ssl-ciphers ssl-keyfile stream-interval
    structured-outputs-config tensor-parallel-size tokenizer tokenizer-mode tokenizer-revision
    tokens-only tool-call-parser tool-parser-plugin tool-server trust-remote-code
    trust-request-chat-template ubatch-size uds use-tqdm-on-load uvicorn-log-level video-pruning-rate
    weight-transfer-config worker-cls worker-extension-cls
    """.split()
)

#: The others, by the first and the last release that was read and knows them.
_IN_SOME: Final[dict[tuple[Version, Version], str]] = {
    ((0, 18), (0, 18)): """
        disable-frontend-multiprocessing
    """,
    ((0, 18), (0, 26)): """
        calculate-kv-scales max-long-partial-prefills max-num-partial-prefills override-attention-dtype
    """,
    ((0, 22), (0, 33)): """
        cpu-distributed-timeout-seconds data-parallel-multi-port-external-lb
        data-parallel-supervisor-port dp-supervisor-probe-failure-threshold
        dp-supervisor-probe-interval-s dp-supervisor-probe-timeout-s enable-cumem-allocator
        enable-flash-late-interaction enable-mamba-cache-stochastic-rounding
        enable-mixed-moe-lora-format fingerprint-mode fingerprint-value ir-op-priority
        kv-cache-dtype-skip-layers linear-backend lora-target-modules mamba-backend
        mamba-cache-philox-rounds mm-encoder-attn-dtype mm-encoder-fp8-scale-path
        mm-encoder-fp8-scale-save-margin mm-encoder-fp8-scale-save-path mm-tensor-ipc numa-bind
        numa-bind-cpus numa-bind-nodes quantization-config reasoning-config renderer-num-workers
        safetensors-prefetch-block-size safetensors-prefetch-num-threads scheduler-reserve-full-isl
        spec-method spec-model spec-tokens use-fp64-gumbel
    """,
    ((0, 26), (0, 26)): """
        enable-bf16x3-router-gemm
    """,
    ((0, 26), (0, 33)): """
        device-ids diffusion-config enable-moe-shared-loras enable-per-request-metrics jit-monitor-mode
        jit-monitor-verbose max-num-scheduled-tokens mm-ipc-gpu-memory-gb model-class-overrides
        prefill-schedule-interval prefix-match-unit watermark
    """,
    ((0, 30), (0, 30)): """
        enable-mamba-fine-grained-prefix-cache
    """,
    ((0, 30), (0, 33)): """
        cohere-format cohere-is-reasoning-model dcp-q-replicate dp-sync-interval ec-manager-config
        elastic-ep-max-dp-size enable-batch-sharded-sampling enable-fault-tolerance
        enable-nccl-comm-suspend enable-scale-out enable-trace-replay engram-config
        fault-tolerance-config kda-decode-backend kda-prefill-backend mamba-ssu-algorithm
        max-num-queued-reqs max-num-queued-tokens mm-device-do-normalize mm-hasher-algorithm
        mm-processor-device per-request-spec-decode-metrics prefix-cache-retention-interval
        replayssm-buffer-len return-sampling-mask sparse-indexer-topk-backend sse-keep-alive-interval
        use-replayssm video-pruning-method watermark-config
    """,
    ((0, 33), (0, 33)): """
        anthropic-disabled-thinking-effort aux-output-config custom-histogram-buckets
        device-memory-utilization enable-hc-sp enable-mamba-shared-prefix-checkpoint
        enable-shm-tensor-arena grpc-port log-level logging-config long-prefill-token-threshold-adaptive
        max-lora-cls-labels max-num-active-seqs monokernel reasoning-effort-map sleep-mode-backend
        sleep-mode-offload-cudagraph sleep-preserve-parameter-names swa-bounded-replay tool-strict-level
        trust-request-mm-kwargs watchdog-config
    """,
}
_SPANS: Final[dict[str, tuple[Version, Version]]] = {
    name: span for span, names in _IN_SOME.items() for name in names.split()
}

#: What takes the place of flags that went before the first release that was read.
_INSTEAD: Final[dict[str, str]] = {
    "disable-log-requests": "Requests are not logged unless --enable-log-requests is given",
    "enable-reasoning": "Use --reasoning-parser alone",
    "guided-decoding-backend": "Use --structured-outputs-config",
    "max-seq-len-to-capture": "Use --max-cudagraph-capture-size",
    "override-pooler-config": "Use --pooler-config",
    "rope-scaling": "Use --hf-overrides",
    "rope-theta": "Use --hf-overrides",
    "speculative-model": "Use --speculative-config",
    "num-speculative-tokens": "Use --speculative-config",
    "task": "Use --runner and --convert",
}


@dataclass(frozen=True, slots=True)
class Doubt:
    """A flag that this version probably does not know; the engine would stop at it."""

    flag: str
    why: str


def doubts(given: Sequence[str], tag: str) -> Iterator[Doubt]:
    """Flags among the arguments that vLLM of this tag does not know, as far as we do.

    Nothing for a tag without a version, and for releases older than the first that was read.
    """
    version = version_of(tag)
    if version is None or version < READ[0]:
        return
    for flag in arguments.flags_of(given):
        if flag.startswith("--") and not is_known(flag, version):
            yield Doubt(flag, _why(_name(flag)))


def version_of(tag: str) -> Version | None:
    """The release that an image's tag names: (0, 33) for "v0.33.0"; None when it names none."""
    found = re.match(r"v?(\d{1,3})\.(\d{1,3})(?:\.|$)", tag, re.ASCII)
    return (int(found[1]), int(found[2])) if found else None


def is_known(flag: str, version: Version) -> bool:
    """Whether a release knows a flag, in its positive or negative form."""
    name = _name(flag)
    if name in _IN_ALL:
        return True
    if name not in _SPANS:
        return False
    first, last = _SPANS[name]
    before = max((read for read in READ if read <= version), default=READ[0])
    after = min((read for read in READ if read >= version), default=READ[-1])
    return first <= after and before <= last


def _name(flag: str) -> str:
    """Switches have a negative form: --no-enable-prefix-caching."""
    return flag.removeprefix("--").removeprefix("no-")


def _why(name: str) -> str:
    if name in _INSTEAD:
        return f"It was removed. {_INSTEAD[name]}."
    if name not in _SPANS:
        return "vLLM stops at a flag that it does not know. Check how it is written, or remove it."
    first, last = _SPANS[name]
    if last < READ[-1]:
        return f"It was last seen in {_shown(last)}. Remove it, or choose an older tag."
    return f"It was first seen in {_shown(first)}. Choose a newer tag, or remove it."


def _shown(version: Version) -> str:
    return f"v{version[0]}.{version[1]}"

"""The options that `vllm serve` knows, by the kind of value that they take.

Only names: an option that is in none of these lists ends the simulated server as it would end the real one.
"""

from __future__ import annotations

# Options with a whole number.
WHOLE = frozenset(
    (
        "api-server-count block-size cp-kv-cache-interleave-size data-parallel-rank data-parallel-rpc-port"
        " data-parallel-size data-parallel-size-local data-parallel-start-rank data-parallel-supervisor-port"
        " dbo-decode-token-threshold dbo-prefill-token-threshold dcp-kv-cache-interleave-size"
        " decode-context-parallel-size dp-supervisor-probe-failure-threshold h11-max-header-count"
        " h11-max-incomplete-event-size long-prefill-token-threshold mamba-block-size master-port"
        " max-cpu-loras max-cudagraph-capture-size max-log-len max-logprobs max-long-partial-prefills"
        " max-lora-rank max-loras max-num-partial-prefills max-num-queued-reqs max-num-seqs"
        " max-parallel-loading-workers mm-shm-cache-max-object-size-mb nnodes node-rank"
        " num-gpu-blocks-override pipeline-parallel-size port prefill-context-parallel-size seed"
        " shutdown-timeout sse-keep-alive-interval ssl-cert-reqs stream-interval tensor-parallel-size"
        " ubatch-size"
    ).split()
)
# Options with any other value.
TEXT = frozenset(
    (
        "additional-config all2all-backend allowed-headers allowed-local-media-path allowed-media-domains"
        " allowed-methods allowed-origins api-key attention-backend attention-config chat-template"
        " chat-template-content-format code-revision cohere-format collect-detailed-traces"
        " compilation-config config config-format convert cpu-offload-gb cudagraph-capture-sizes"
        " data-parallel-address data-parallel-backend default-chat-template-kwargs default-mm-loras"
        " disable-access-log-for-endpoints distributed-executor-backend download-dir"
        " dp-supervisor-probe-interval-s dp-supervisor-probe-timeout-s dtype ec-transfer-config eplb-config"
        " expert-placement-strategy fingerprint-mode fingerprint-value generation-config"
        " gpu-memory-utilization guided-decoding-backend hf-config-path hf-overrides hf-token host"
        " ignore-patterns io-processor-plugin kernel-config kv-cache-dtype kv-cache-memory-bytes"
        " kv-cache-metrics-sample kv-events-config kv-offloading-backend kv-offloading-size"
        " kv-transfer-config limit-mm-per-prompt load-format log-config-file logits-processor-pattern"
        " logits-processors logprobs-mode lora-dtype lora-modules mamba-cache-dtype mamba-cache-mode"
        " mamba-ssm-cache-dtype master-addr max-model-len max-num-batched-tokens max-num-queued-tokens"
        " media-io-kwargs middleware mm-encoder-attn-backend mm-encoder-tp-mode mm-processor-cache-gb"
        " mm-processor-cache-type mm-processor-kwargs model model-impl model-loader-extra-config moe-backend"
        " optimization-level otlp-traces-endpoint override-attention-dtype override-generation-config"
        " performance-mode pooler-config prefix-caching-hash-algo profiler-config pt-load-map-location"
        " quantization reasoning-parser reasoning-parser-plugin response-role revision root-path runner"
        " safetensors-load-strategy scheduler-cls scheduling-policy served-model-name"
        " show-hidden-metrics-for-version speculative-config ssl-ca-certs ssl-certfile ssl-ciphers"
        " ssl-keyfile structured-outputs-config swap-space task tokenizer tokenizer-mode tokenizer-revision"
        " tool-call-parser tool-parser-plugin tool-server uds uvicorn-log-level video-pruning-rate"
        " worker-cls worker-extension-cls"
    ).split()
)
# Switches; each also exists with `no-` in front.
SWITCHES = frozenset(
    (
        "aggregate-engine-logging allow-credentials allow-deprecated-quantization async-scheduling"
        " calculate-kv-scales cohere-is-reasoning-model cudagraph-metrics data-parallel-external-lb"
        " data-parallel-hybrid-lb disable-cascade-attn disable-chunked-mm-input disable-custom-all-reduce"
        " disable-fastapi-docs disable-hybrid-kv-cache-manager disable-log-requests disable-log-stats"
        " disable-nccl-for-dp-synchronization disable-sliding-window disable-uvicorn-access-log"
        " enable-auto-tool-choice enable-chunked-prefill enable-dbo enable-eplb enable-expert-parallel"
        " enable-flash-late-interaction enable-force-include-usage enable-layerwise-nvtx-tracing"
        " enable-log-deltas enable-log-outputs enable-log-requests enable-logging-iteration-details"
        " enable-lora enable-mfu-metrics enable-mm-embeds enable-offline-docs enable-per-request-metrics"
        " enable-prefix-caching enable-prompt-embeds enable-prompt-tokens-details enable-reasoning"
        " enable-request-id-headers enable-return-routed-experts enable-server-load-tracking"
        " enable-sleep-mode enable-ssl-refresh enable-tokenizer-info-endpoint enable-tower-connector-lora"
        " enforce-eager exclude-tools-when-tool-choice-none fully-sharded-loras headless"
        " interleave-mm-strings kv-cache-metrics kv-sharing-fast-prefill language-model-only log-error-stack"
        " mm-encoder-only ray-workers-use-nsight return-tokens-as-token-ids skip-mm-profiling"
        " skip-tokenizer-init specialize-active-lora tokens-only trust-remote-code"
        " trust-request-chat-template use-tqdm-on-load"
    ).split()
)
# Options that take all words up to the next option.
MANY = frozenset(
    "served-model-name lora-modules middleware api-key cudagraph-capture-sizes logits-processors".split()
)
# Options whose value is one JSON document.
JSON = frozenset(
    (
        "hf-overrides compilation-config speculative-config structured-outputs-config pooler-config kv-transfer-config"
        " kv-events-config ec-transfer-config override-generation-config limit-mm-per-prompt mm-processor-kwargs"
        " media-io-kwargs model-loader-extra-config additional-config eplb-config default-chat-template-kwargs"
        " attention-config profiler-config"
    ).split()
)
SHORT = {
    "tp": "tensor-parallel-size",
    "pp": "pipeline-parallel-size",
    "dp": "data-parallel-size",
    "q": "quantization",
    "cc": "compilation-config",
    "O": "optimization-level",
}

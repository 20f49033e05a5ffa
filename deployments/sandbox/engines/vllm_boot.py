"""How `vllm serve` starts, or does not: the checks in vLLM's order, the words of its log, and the seconds it
takes.

Memory arithmetic, per GPU: weights / (tensor × pipeline parallel) must fit below memory × utilisation, and what
is left after 1.5 GiB of activations must hold one request of the full context. In host memory the weights are
staged once, beside 2 GiB for the processes.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from deployments.sandbox.engines.boot import API_SERVER, ENGINE_CORE, WORKER, Boot, Script, Surroundings
from deployments.sandbox.engines.command_line import ServeCommand, UsageError, parse_serve
from deployments.sandbox.engines.engine_config import EngineConfig
from deployments.sandbox.engines.weights import EMBED, GENERATE, ModelFacts, model_facts
from deployments.sandbox.settings import GIB

HOST_BASE_BYTES = 2 * GIB
_ACTIVATION_BYTES = 3 * GIB // 2
_OPEN_PATHS = ("/health", "/ping", "/version", "/load", "/metrics")
_TOKEN_VARIABLES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")


def vllm_boot(around: Surroundings, arguments: list[str], version: str) -> Boot:
    """The life of a vLLM server with these arguments (everything after `vllm serve`)."""
    script = Script(version)
    script.wait(around.settings.import_seconds)
    try:
        command = parse_serve(arguments)
    except UsageError as error:
        script.print("usage: vllm [-h] [-v] {chat,complete,serve,launch,bench,collect-env,run-batch} ...")
        script.print(f"vllm: error: {error}")
        return script.ends(2)
    facts = model_facts(command.model, command.options.get("quantization", ""))
    if command.options.get("runner") == "pooling" and facts.task == GENERATE:
        facts = replace(facts, task=EMBED)
    weights = _weight_bytes(around, facts)
    failed = _before_engine(around, command, script, facts)
    if failed is not None:
        return failed
    return _start_engine(around, command, script, facts, weights)


def gated_without_token(model: str, env: object) -> bool:
    """Whether Hugging Face would refuse the weights: a licence to accept and no token."""
    values = env if isinstance(env, dict) else {}
    gated = model.startswith("meta-llama/") or "gated" in model.lower()
    return gated and not any(str(values.get(name, "")).strip() for name in _TOKEN_VARIABLES)


def _weight_bytes(around: Surroundings, facts: ModelFacts) -> int:
    asked = around.number("SANDBOX_WEIGHTS_GIB")
    return facts.weight_bytes if asked is None else int(Decimal(str(asked)) * GIB)


def _before_engine(
    around: Surroundings, command: ServeCommand, script: Script, facts: ModelFacts
) -> Boot | None:
    """Everything that the API server checks itself; None when the engine may start."""
    port_variable = around.env.get("VLLM_PORT", "")
    if port_variable and not port_variable.isdecimal():
        return script.fails_in_server(
            f"ValueError: VLLM_PORT '{port_variable}' appears to be a URI. This may be caused by a Kubernetes service"
            " discovery issue"
        )
    script.say(API_SERVER, "utils.py:299", f"version {script.version}")
    script.say(API_SERVER, "utils.py:299", f"model {command.model}")
    shown = {"model_tag": command.model} | {
        name.replace("-", "_"): value for name, value in command.options.items()
    }
    if "api_key" in shown:
        shown["api_key"] = "***"
    script.say(API_SERVER, "utils.py:233", f"non-default args: {shown}")
    if not around.gpus:
        return script.fails_in_server("RuntimeError: Failed to infer device type")
    if _from_hub(command.model):
        url = f"https://huggingface.co/{command.model}/resolve/main/config.json"
        if gated_without_token(command.model, dict(around.env)):
            script.wait(0.8)
            return script.fails_in_server(
                "huggingface_hub.errors.GatedRepoError: 401 Client Error.\n"
                f"Cannot access gated repo for url {url}.\n"
                f"Access to model {command.model} is restricted. You must have access to it and be authenticated.\n"
                f"OSError: You are trying to access a gated repo. Make sure to have access to it at {url}."
            )
        if "does-not-exist" in command.model:
            script.wait(0.8)
            return script.fails_in_server(
                "huggingface_hub.errors.RepositoryNotFoundError: 401 Client Error.\n"
                f"Repository Not Found for url: {url}.\n"
                f"OSError: {command.model} is not a local folder and is not a valid model identifier"
            )
    tensor, pipeline, data = _parallel(command)
    world = tensor * pipeline * data
    wanted = command.max_model_len
    if facts.heads % tensor:
        return script.fails_in_server(
            f"ValueError: Total number of attention heads ({facts.heads}) must be divisible by tensor parallel size"
            f" ({tensor})."
        )
    if world > around.gpus:
        return script.fails_in_server(
            f"ValueError: World size ({world}) is larger than the number of available GPUs ({around.gpus})"
            " in this node."
        )
    if wanted and wanted > facts.context and around.env.get("VLLM_ALLOW_LONG_MAX_MODEL_LEN") != "1":
        return script.fails_in_server(
            f"ValueError: User-specified max_model_len ({wanted}) is greater than the derived max_model_len"
            f" (max_position_embeddings={facts.context})"
        )
    script.say(API_SERVER, "model.py:547", f"Resolved architecture: {facts.architecture}")
    script.say(API_SERVER, "model.py:1510", f"Using max model len {wanted or facts.context}")
    return None


def _start_engine(
    around: Surroundings, command: ServeCommand, script: Script, facts: ModelFacts, weights: int
) -> Boot:
    settings = around.settings
    script.wait(settings.import_seconds / 2)
    tensor, pipeline, _data = _parallel(command)
    started = f"Initializing a V1 LLM engine (v{script.version}) with config: model='{command.model}'"
    script.say(ENGINE_CORE, "core.py:93", f"{started}, tensor_parallel_size={tensor}")
    rank = "rank 0 in world size"
    script.say(
        WORKER, "parallel_state.py:1208", f"{rank} {tensor * pipeline} is assigned as DP rank 0, TP rank 0"
    )
    if tensor * pipeline > 1 and not around.shared_memory:
        script.wait(1.0)
        return script.fails_in_engine(
            "RuntimeError: NCCL error: unhandled system error\n"
            "Bus error: unable to open shared memory object: /dev/shm is full",
            WORKER,
        )
    script.say(WORKER, "gpu_model_runner.py:2602", f"Starting to load model {command.model}...")
    failed = _get_weights(around, command, script, weights)
    if failed is not None:
        return failed
    kv_bytes = _kv_bytes(around, command, weights)
    need = HOST_BASE_BYTES + weights
    loading = weights / settings.load_bytes_per_second
    if around.memory_limit_bytes is not None and need > around.memory_limit_bytes:
        script.wait(loading * 0.6)
        return script.ends(137, "OOMKilled", memory_bytes=around.memory_limit_bytes)
    script.wait(loading)
    per_gpu = weights // (tensor * pipeline)
    if per_gpu + _ACTIVATION_BYTES > around.gpu_memory_bytes:
        total = around.gpu_memory_bytes / GIB
        return script.fails_in_engine(
            "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 448.00 MiB. GPU 0 has a total capacity of"
            f" {total:.2f} GiB of which 210.31 MiB is free.",
            WORKER,
        )
    script.say(WORKER, "default_loader.py:268", f"Loading weights took {loading:.2f} seconds")
    script.say(WORKER, "gpu_model_runner.py:2653", f"Model loading took {per_gpu / GIB:.4f} GiB memory")
    if facts.task == GENERATE:
        failed = _check_cache(command, script, facts, kv_bytes, tensor)
        if failed is not None:
            return failed
    script.say(WORKER, "backends.py:548", "torch.compile takes effect; capturing CUDA graphs")
    return _serve(around, command, script, facts, weights, kv_bytes)


def _get_weights(around: Surroundings, command: ServeCommand, script: Script, weights: int) -> Boot | None:
    """Fetch the weights unless they are local or on the volume already."""
    if command.model.startswith("/") or command.model in around.cached:
        return None
    if not _from_hub(command.model):
        # A bucket is streamed into the GPUs; nothing stays on the volume.
        script.say(WORKER, "runai_streamer_loader.py:88", f"Streaming weights from {command.model}")
        script.wait(weights / around.settings.download_bytes_per_second)
        return None
    if around.volume_bytes is not None and weights > around.volume_bytes:
        script.wait(around.volume_bytes / around.settings.download_bytes_per_second)
        return script.fails_in_engine("OSError: [Errno 28] No space left on device", WORKER)
    seconds = weights / around.settings.download_bytes_per_second
    script.say(
        WORKER,
        "weight_utils.py:392",
        f"Using model weights format ['*.safetensors'] ({weights / GIB:.1f} GiB)",
    )
    script.wait(seconds)
    taken = f"Time spent downloading weights for {command.model}: {seconds:.6f} seconds"
    script.say(WORKER, "weight_utils.py:413", taken)
    script.downloaded, script.downloaded_at = command.model, script.at
    return None


def _kv_bytes(around: Surroundings, command: ServeCommand, weights: int) -> int:
    """Bytes of one GPU that are left for the KV cache; may be negative."""
    utilisation = Decimal(command.options.get("gpu-memory-utilization", "0.9"))
    tensor, pipeline, _data = _parallel(command)
    return int(around.gpu_memory_bytes * utilisation) - weights // (tensor * pipeline) - _ACTIVATION_BYTES


def _check_cache(
    command: ServeCommand, script: Script, facts: ModelFacts, kv_bytes: int, tensor: int
) -> Boot | None:
    if kv_bytes <= 0:
        return script.fails_in_engine(
            "ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization` when"
            " initializing the engine."
        )
    length = command.max_model_len or facts.context
    per_token = max(1, facts.kv_bytes_per_token // min(tensor, facts.kv_heads))
    if length * per_token > kv_bytes:
        return script.fails_in_engine(
            f"ValueError: To serve at least one request with the models's max seq len ({length}),"
            f" ({length * per_token / GIB:.2f} GiB KV cache is needed, which is larger than the available"
            f" KV cache memory ({kv_bytes / GIB:.2f} GiB). Based on the available memory, the estimated maximum"
            f" model length is {kv_bytes // per_token}."
        )
    tokens = kv_bytes // per_token
    script.say(ENGINE_CORE, "kv_cache_utils.py:1087", f"GPU KV cache size: {tokens:,} tokens")
    concurrency = f"Maximum concurrency for {length:,} tokens per request: {tokens / length:.2f}x"
    script.say(ENGINE_CORE, "kv_cache_utils.py:1091", concurrency)
    return None


def _serve(
    around: Surroundings,
    command: ServeCommand,
    script: Script,
    facts: ModelFacts,
    weights: int,
    kv_bytes: int,
) -> Boot:
    asked = around.number("SANDBOX_LOAD_SECONDS")
    before = script.at
    script.wait(around.settings.warm_up_seconds if asked is None else max(0.0, asked - before))
    limit = around.number("VLLM_ENGINE_READY_TIMEOUT_S") or 600.0
    if script.at > limit:
        script.at = max(before, limit)
        return script.fails_in_server(
            f"TimeoutError: Timed out waiting for engine core processes to start. This is often caused by slow weight"
            f" loading for large models. Waited {limit:.0f}s (configured by VLLM_ENGINE_READY_TIMEOUT_S)."
        )
    took = f"init engine (profile, create kv cache, warmup model) took {script.at - before:.2f} seconds"
    script.say(ENGINE_CORE, "core.py:210", took)
    port = command.number("port", 8000)
    task = {GENERATE: "generate", EMBED: "embed"}.get(facts.task, facts.task)
    script.say(API_SERVER, "api_server.py:1634", f"Supported tasks: ['{task}']")
    script.say(API_SERVER, "api_server.py:1912", f"Starting vLLM server on http://0.0.0.0:{port}")
    for text in (
        "Started server process [1]",
        "Waiting for application startup.",
        "Application startup complete.",
    ):
        script.print(f"INFO:     {text}", process=API_SERVER)
    serves_at = script.at
    dies_after = around.number("SANDBOX_CRASH_AFTER_SECONDS")
    lines = script.lines()
    if dies_after is not None:
        script.wait(dies_after)
        script.say(ENGINE_CORE, "core.py:730", "EngineCore encountered a fatal error.", "ERROR")
        script.say(ENGINE_CORE, "core.py:730", "RuntimeError: CUDA error: an illegal memory access", "ERROR")
        issue = "EngineCore encountered an issue. See stack trace (above) for the root cause."
        script.say(API_SERVER, "async_llm.py:548", f"EngineDeadError: {issue}", "ERROR")
        lines = script.lines()
    return Boot(
        lines,
        serves_at=serves_at,
        exits_at=script.at if dies_after is not None else None,
        exit_code=1 if dies_after is not None else 0,
        exit_reason="Error",
        config=_config(around, command, script.version, facts, kv_bytes),
        # A server that listens on loopback only cannot be reached by the kubelet's probes.
        port=0 if command.options.get("host") in ("127.0.0.1", "localhost") else port,
        open_paths=_OPEN_PATHS + (() if _api_key(around, command) else ("/v1/models",)),
        memory_bytes=HOST_BASE_BYTES + weights,
        downloaded=script.downloaded,
        downloaded_at=script.downloaded_at,
    )


def _config(
    around: Surroundings, command: ServeCommand, version: str, facts: ModelFacts, kv_bytes: int
) -> EngineConfig:
    settings = around.settings
    tensor = _parallel(command)[0]
    ttft, itl = around.number("SANDBOX_TTFT_SECONDS"), around.number("SANDBOX_ITL_SECONDS")
    return EngineConfig(
        names=command.names or (command.model,),
        root=command.model,
        version=version,
        task=facts.task,
        max_model_len=command.max_model_len or facts.context,
        max_num_seqs=max(1, command.number("max-num-seqs", 256)),
        max_num_queued=command.number("max-num-queued-reqs", 0),
        kv_tokens=max(1, kv_bytes // max(1, facts.kv_bytes_per_token // min(tensor, facts.kv_heads))),
        block_size=max(1, command.number("block-size", 16)),
        hidden_size=facts.heads * facts.head_size,
        api_key=_api_key(around, command),
        shutdown_seconds=float(command.number("shutdown-timeout", 0)),
        ttft_seconds=settings.ttft_seconds if ttft is None else ttft,
        prefill_seconds_per_1000=settings.prefill_seconds_per_1000,
        itl_seconds=settings.itl_seconds if itl is None else itl,
        gpu_memory_utilization=command.options.get("gpu-memory-utilization", "0.9"),
        prefix_caching=command.options.get("enable-prefix-caching") != "false",
        tool_choice=command.switched("enable-auto-tool-choice") and "tool-call-parser" in command.options,
        force_usage=command.switched("enable-force-include-usage"),
        prompt_token_details=command.switched("enable-prompt-tokens-details"),
        per_request_metrics=command.switched("enable-per-request-metrics"),
        request_id_headers=command.switched("enable-request-id-headers"),
        load_tracking=command.switched("enable-server-load-tracking"),
    )


def _api_key(around: Surroundings, command: ServeCommand) -> str:
    return command.options.get("api-key") or around.env.get("VLLM_API_KEY", "")


def _from_hub(model: str) -> bool:
    """Whether the weights come from Hugging Face, and not from a folder or a bucket."""
    return not model.startswith("/") and "://" not in model


def _parallel(command: ServeCommand) -> tuple[int, int, int]:
    """Tensor, pipeline and data parallel sizes, each at least 1."""
    names = ("tensor-parallel-size", "pipeline-parallel-size", "data-parallel-size")
    tensor, pipeline, data = (max(1, command.number(name, 1)) for name in names)
    return tensor, pipeline, data

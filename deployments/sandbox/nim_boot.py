"""How one of NVIDIA's packaged models starts: its key, its profile, then the engine inside it.

The image decides the model (`nvcr.io/nim/<publisher>/<model>`). The engine inside is vLLM, served under NIM's
paths.
"""

from __future__ import annotations

from dataclasses import replace

from deployments.sandbox.boot import Boot, Script, Surroundings
from deployments.sandbox.registry import Image
from deployments.sandbox.vllm_boot import vllm_boot

_OPEN_PATHS = ("/v1/health/live", "/v1/health/ready", "/v1/metrics", "/v1/models", "/health", "/metrics")
_ENGINE_VERSION = "0.31.0"


def nim_boot(around: Surroundings, image: Image) -> Boot:
    """The life of a NIM container."""
    script = Script(image.tag)
    script.wait(around.settings.import_seconds / 2)
    script.print(
        "===========================================", f"== NVIDIA Inference Microservice {image.tag} =="
    )
    if not around.env.get("NGC_API_KEY", "").strip() and not around.cached:
        script.print("Authentication Error: the NGC_API_KEY variable is not set")
        return script.ends(1)
    if not around.gpus:
        script.print("ERROR: Detected 0 compatible profile(s).")
        return script.ends(1)
    script.print(f"Detected {around.gpus} x {around.gpu_product}; selected profile vllm-bf16-tp{around.gpus}")
    reference = "/".join(image.path.split("/")[1:])
    name = around.env.get("NIM_SERVED_MODEL_NAME") or reference
    port = around.env.get("NIM_SERVER_PORT", "8000")
    arguments = [reference, "--served-model-name", name, "--tensor-parallel-size", str(around.gpus)]
    arguments += ["--port", port if port.isdecimal() else "8000"]
    if around.env.get("NIM_MAX_MODEL_LEN", "").isdecimal():
        arguments += ["--max-model-len", around.env["NIM_MAX_MODEL_LEN"]]
    inner = vllm_boot(around, arguments, _ENGINE_VERSION)
    return replace(inner, lines=script.lines() + inner.lines, open_paths=_OPEN_PATHS)

"""How one of NVIDIA's packaged models starts: its cache, its key, its profile, then the engine inside it.

The image decides the model (`nvcr.io/nim/<publisher>/<model>`), except for the model-free ones, which are told by a
variable. The engine inside is vLLM, served under NIM's paths. 1.x and 2.x print other lines, read other variables
and, in 2.x, hand arguments on to the engine.
"""

from __future__ import annotations

import shlex
from dataclasses import replace

from deployments.sandbox.engines import nim_profiles
from deployments.sandbox.engines.boot import Boot, Script, Surroundings
from deployments.sandbox.engines.nim_profiles import Profile
from deployments.sandbox.engines.vllm_boot import vllm_boot
from deployments.sandbox.nodes import ngc_registry
from deployments.sandbox.nodes.registry import Image

_OPEN_PATHS = ("/v1/health/live", "/v1/health/ready", "/v1/metrics", "/v1/models", "/v1/metadata")
# The vLLM inside a line of NIM, newest first.
_ENGINES = (((2, 1, 0), "0.31.0"), ((2, 0, 5), "0.20.2"), ((2, 0, 2), "0.18.0"), ((2, 0, 0), "0.17.1"))
_OLD_ENGINE = "0.10.2"
_CACHE_PROBED_SINCE = (2, 0, 4)
_FREE_IMAGES = ("llm-nim", "model-free-nim")


def nim_boot(around: Surroundings, image: Image) -> Boot:
    """The life of a NIM container."""
    version = ngc_registry.version_of(image.tag)
    major = 1 if version[0] <= 1 else 2
    script = Script(image.tag)
    script.wait(around.settings.import_seconds / 2)
    script.print(*_banner(image, major))
    failed = _check_cache(around, script, version)
    if failed is not None:
        return failed
    reference, problem = _model(around, image, major)
    if problem:
        script.print(problem)
        return script.ends(1)
    failed = _check_key(around, script, image, reference)
    if failed is not None:
        return failed
    profile = _choose_profile(around, script, image, major)
    if profile is None:
        return script.ends(1)
    try:
        arguments = _arguments(around, reference, profile, major)
    except ValueError as error:
        script.print("Traceback (most recent call last):", f"ValueError: NIM_PASSTHROUGH_ARGS: {error}")
        return script.ends(1)
    engine = next((each for since, each in _ENGINES if version >= since), _OLD_ENGINE)
    inner = vllm_boot(around, arguments, engine)
    config = inner.config and replace(inner.config, flavour=f"nim{major}", release=image.tag)
    return replace(inner, lines=script.lines() + inner.lines, open_paths=_OPEN_PATHS, config=config)


def _banner(image: Image, major: int) -> tuple[str, ...]:
    model = "/".join(image.path.split("/")[1:])
    if major == 1:
        rule = "=" * 43
        return (
            rule,
            "== NVIDIA Inference Microservice LLM NIM ==",
            rule,
            f"NVIDIA Inference Microservice LLM NIM Version {image.tag}",
            f"Model: {model}",
        )
    return (f"NVIDIA NIM for LLMs {image.tag}", f"INFO nim-serve: model {model}")


def _check_cache(around: Surroundings, script: Script, version: tuple[int, int, int]) -> Boot | None:
    """The cache must be writable for the container's user; since 2.0.4 NIM says so itself."""
    if around.cache_writable:
        return None
    path = around.env.get("NIM_CACHE_PATH", "/opt/nim/.cache")
    if version >= _CACHE_PROBED_SINCE:
        script.print(
            f"ERROR nim-serve: the cache at {path} cannot be written by this user: Permission denied.",
            "ERROR nim-serve: mount a writable volume there, with fsGroup set to the group of the container.",
        )
    else:
        script.print(
            "Traceback (most recent call last):",
            f"PermissionError: [Errno 13] Permission denied: '{path}/ngc'",
        )
    return script.ends(1)


def _model(around: Surroundings, image: Image, major: int) -> tuple[str, str]:
    """(the model, why there is none)."""
    name = image.path.rsplit("/", 1)[-1]
    if not name.startswith(_FREE_IMAGES):
        return "/".join(image.path.split("/")[1:]), ""
    variable = "NIM_MODEL_NAME" if major == 1 else "NIM_MODEL_PATH"
    given = around.env.get(variable, "").strip()
    if not given:
        return "", f"ERROR: {variable} is not set; this NIM has no model of its own."
    return given.removeprefix("hf://").removeprefix("ngc://"), ""


def _check_key(around: Surroundings, script: Script, image: Image, reference: str) -> Boot | None:
    """Log in to NGC where the weights come from there, or where a key is set, needed or not."""
    given = around.env.get("NGC_API_KEY")
    own = reference == "/".join(image.path.split("/")[1:])
    needed = own and reference not in around.cached and not ngc_registry.is_keyless(image.path, image.tag)
    if given is None and not needed:
        return None
    script.wait(0.4)
    key = (given or "").strip()
    if not key:
        script.print(
            "Authentication Error: the requested operation requires an API key, but NGC_API_KEY is not set or empty."
        )
        return script.ends(1)
    if ngc_registry.is_refused(key):
        script.print("NGC Authentication Error: the key in NGC_API_KEY was not accepted: 401 Unauthorized.")
        return script.ends(1)
    return None


def _choose_profile(around: Surroundings, script: Script, image: Image, major: int) -> Profile | None:
    """The profile that is asked for, or the first that fits; None, said in the log, when there is none."""
    every = nim_profiles.profiles_of(image.path, major)
    fitting = [each for each in every if each.fits(around.gpus, around.gpu_product)]
    asked = around.env.get("NIM_MODEL_PROFILE", "").strip()
    if asked and asked != "default":
        chosen = nim_profiles.find(every, asked)
        if chosen in fitting:
            script.print(f"INFO: profile {chosen.shown} was asked for.")
            return chosen
        script.print("Detected 0 compatible profile(s).")
        why = f"it needs {chosen.tensor} GPUs" if chosen else "it is not in the manifest of this image"
        if chosen and chosen.tensor == around.gpus:
            why = f"it was built for {chosen.product}"
        script.print(f"ERROR: NIM_MODEL_PROFILE {asked} cannot be used: {why}.")
    elif fitting:
        script.print("INFO: no profile was asked for; selecting one automatically.")
        script.print(f"Detected {len(fitting)} compatible profile(s).")
        script.print(f"INFO: selected profile: {fitting[0].shown}")
        return fitting[0]
    else:
        script.print("Detected 0 compatible profile(s).")
        script.print(
            "ERROR: no profile can run on the detected hardware. Make sure that there are enough GPUs."
        )
    script.print("SYSTEM INFO", f"- GPUs: {around.gpus} x {around.gpu_product or 'none'}", "MODEL PROFILES")
    script.print("- Compatible with system:", *(f"  - {each.shown}" for each in fitting))
    script.print(
        "- Incompatible with system:", *(f"  - {each.shown}" for each in every if each not in fitting)
    )
    return None


def _arguments(around: Surroundings, reference: str, profile: Profile, major: int) -> list[str]:
    """The engine's command line. Raises ValueError for passed-through arguments that a shell could not read."""
    env = around.env
    names = [name for name in env.get("NIM_SERVED_MODEL_NAME", "").split(",") if name] or [reference]
    port = env.get("NIM_SERVER_PORT", "8000")
    arguments = [reference, "--served-model-name", *names, "--tensor-parallel-size", str(profile.tensor)]
    arguments += ["--port", port if port.isdecimal() else "8000"]
    if profile.quantization:
        arguments += ["--quantization", profile.quantization]
    fraction = "NIM_KVCACHE_PERCENT" if major == 1 else "NIM_GPU_MEM_FRACTION"
    for variable, option in (
        ("NIM_MAX_MODEL_LEN", "--max-model-len"),
        ("NIM_MAX_NUM_SEQS", "--max-num-seqs"),
        (fraction, "--gpu-memory-utilization"),
    ):
        if env.get(variable, "").strip():
            arguments += [option, env[variable].strip()]
    if major >= 2:
        arguments += shlex.split(env.get("NIM_PASSTHROUGH_ARGS", ""))
    return arguments

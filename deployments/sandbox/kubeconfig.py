"""The two secrets of the sandbox: its bearer token, and the kubeconfig that carries it; both for their owner only."""

from __future__ import annotations

import base64
import os
import secrets
from pathlib import Path

import yaml


def read_token(folder: Path) -> str:
    """The token of this cluster; made at the first start and kept."""
    path = folder / "token"
    if path.exists():
        return path.read_text().strip()
    token = secrets.token_urlsafe(32)
    write_private(path, token.encode())
    return token


def write_kubeconfig(path: Path, server: str, token: str, authority: str) -> None:
    """Write a kubeconfig for `server` (an address with its scheme), which `authority` (PEM) vouches for."""
    trusted = base64.b64encode(authority.encode()).decode()
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "sandbox", "cluster": {"server": server, "certificate-authority-data": trusted}}
        ],
        "users": [{"name": "sandbox", "user": {"token": token}}],
        "contexts": [{"name": "sandbox", "context": {"cluster": "sandbox", "user": "sandbox"}}],
        "current-context": "sandbox",
    }
    write_private(path, yaml.safe_dump(document, sort_keys=False).encode())


def write_private(path: Path, content: bytes) -> None:
    """Replace a file at once, readable by its owner only: a reader sees the old content or the new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    waiting = path.with_name(f".{path.name}.{os.getpid()}.new")
    descriptor = os.open(waiting, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(waiting, path)
    except BaseException:
        waiting.unlink(missing_ok=True)
        raise

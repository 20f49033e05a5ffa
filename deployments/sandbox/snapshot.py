"""The state of the cluster on disk: written whole, soon after a change, and read at the start."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import msgspec

from deployments.sandbox.kubeconfig import write_private
from deployments.sandbox.store import Store

_FORMAT = 1
# A crash may lose the last writes. The next run starts well above every revision that anybody can have seen, so that no
# resourceVersion stands for two different states.
_REVISION_GAP = 100_000
_SECONDS_BETWEEN = 1.0

_log = logging.getLogger(__name__)


def load(store: Store, path: Path) -> bool:
    """Fill an empty store from a snapshot; False if there is none that can be read (it is then put aside)."""
    if not path.exists():
        return False
    try:
        saved = msgspec.json.decode(path.read_bytes())
        if saved["format"] != _FORMAT:
            raise ValueError(f"format {saved['format']}")
        objects = [(plural, obj) for plural, shelf in saved["objects"].items() for obj in shelf]
    except (msgspec.DecodeError, KeyError, TypeError, ValueError) as problem:
        aside = path.with_suffix(".unreadable")
        path.replace(aside)
        _log.warning("The saved state cannot be read (%s); it is kept as %s.", problem, aside.name)
        return False
    for plural, obj in objects:
        store.restore(plural, obj)
    store.logs.load(saved["logs"])
    store.revision = saved["revision"] + _REVISION_GAP
    store.journal.begin(store.revision)
    return True


def encode(store: Store) -> bytes:
    """The whole state as JSON."""
    shelves: dict[str, list[msgspec.Raw]] = {}
    for plural, obj in store.everything():
        shelves.setdefault(plural, []).append(store.encoded(plural, obj))
    document: dict[str, Any] = {
        "format": _FORMAT,
        "revision": store.revision,
        "objects": shelves,
        "logs": store.logs.dump(),
    }
    return msgspec.json.encode(document)


async def keep(store: Store, path: Path) -> None:
    """Save after every change, at most once a second, until cancelled; then a last time."""
    changed = asyncio.Event()
    unsubscribe = store.subscribe(changed.set)
    writing: asyncio.Future[None] | None = None
    try:
        while True:
            await changed.wait()
            changed.clear()
            writing = asyncio.ensure_future(asyncio.to_thread(_write, path, encode(store)))
            await asyncio.shield(writing)
            await asyncio.sleep(_SECONDS_BETWEEN)
    finally:
        unsubscribe()
        # A thread cannot be cancelled; its older state must not overtake the last one.
        if writing is not None:
            await writing
        _write(path, encode(store))


def _write(path: Path, content: bytes) -> None:
    try:
        write_private(path, content)
    except OSError as problem:
        # A full disk is no reason to take the cluster away; the next change tries again.
        _log.warning("The state was not saved: %s.", problem)

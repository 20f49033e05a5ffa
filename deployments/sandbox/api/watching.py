"""Watches: the writes of a kind as a stream of lines, with selectors, bookmarks and initial events."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from deployments.sandbox.api import reading
from deployments.sandbox.api.addresses import Address
from deployments.sandbox.api.errors import ApiError
from deployments.sandbox.journal import Write
from deployments.sandbox.store import Object, Store

_LONGEST = 3_600.0
_BOOKMARK_SECONDS = 10.0
_INITIAL_END = "k8s.io/initial-events-end"


class Watch:
    """One watch request. Reading `lines` ends at the time-out, at the stop of the server or with an error event."""

    def __init__(
        self, store: Store, address: Address, query: dict[str, str], form: str, stopping: asyncio.Event
    ) -> None:
        self._store = store
        self._kind = address.kind
        if not self._kind.store:
            raise ApiError(405, f"{self._kind.plural} cannot be watched")
        query = dict(query)
        if address.name:
            query["fieldSelector"] = f"metadata.name={address.name}"
        self._query = query
        self._form = form
        self._namespace = address.namespace
        self._by_label, self._by_field = reading.tests(self._kind, query)
        self._stopping = stopping
        self._bookmarks = query.get("allowWatchBookmarks") == "true"
        self._initial = query.get("sendInitialEvents") == "true"
        self._header_due = True
        version = query.get("resourceVersion") or "0"
        if not version.isdigit():
            raise ApiError(400, f'Invalid value: "{version}": resourceVersion is not a number')
        self._from_start = version == "0" or self._initial
        self._revision = store.revision if self._from_start else int(version)
        if self._revision > store.revision:
            raise ApiError(
                504,
                f"Timeout: Too large resource version: {self._revision}, current: {store.revision}",
                details={
                    "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
                },
                retry_after=1,
            )

    async def lines(self) -> AsyncIterator[bytes]:
        """The events, one JSON document a line."""
        woken = asyncio.Event()
        unsubscribe = self._store.subscribe(woken.set)
        loop = asyncio.get_running_loop()
        end = loop.time() + self._seconds()
        bookmark_due = loop.time() + _BOOKMARK_SECONDS
        try:
            if self._from_start:
                for line in self._start():
                    yield line
            while not self._stopping.is_set():
                woken.clear()
                try:
                    writes = self._store.journal.since(self._kind.store, self._revision)
                except ApiError as problem:
                    yield _line("ERROR", problem.body())
                    return
                for write in writes:
                    if (told := self._event(write)) is not None:
                        yield told
                self._revision = max(self._revision, writes[-1].revision if writes else 0)
                now = loop.time()
                if now >= end:
                    return
                if self._bookmarks and now >= bookmark_due:
                    yield self._bookmark({})
                    bookmark_due = now + _BOOKMARK_SECONDS
                await self._pause(woken, min(end, bookmark_due) - now)
        finally:
            unsubscribe()

    async def _pause(self, woken: asyncio.Event, seconds: float) -> None:
        waits = [asyncio.ensure_future(woken.wait()), asyncio.ensure_future(self._stopping.wait())]
        try:
            await asyncio.wait(waits, timeout=max(seconds, 0), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _seconds(self) -> float:
        text = self._query.get("timeoutSeconds", "")
        if text.isdigit() and int(text):
            return min(float(text), _LONGEST)
        # Spread, so that clients which began together do not return together.
        return _LONGEST / 2 * (1 + random.random())  # noqa: S311

    def _start(self) -> list[bytes]:
        found = [
            obj
            for obj in self._store.list(self._kind.store, self._namespace)
            if self._by_label(obj) and self._by_field(obj)
        ]
        lines = [self._told("ADDED", obj) for obj in found]
        self._revision = self._store.revision
        if self._initial and self._bookmarks:
            lines.append(self._bookmark({_INITIAL_END: "true"}))
        return lines

    def _event(self, write: Write) -> bytes | None:
        after, before = write.obj, write.before
        if self._namespace is not None and after["metadata"].get("namespace") != self._namespace:
            return None
        was = before is not None and self._selects(before)
        now = write.change != "DELETED" and self._selects(after)
        if now:
            return self._told("MODIFIED" if was else "ADDED", after)
        if was or (write.change == "DELETED" and self._selects(after)):
            return self._told("DELETED", after)
        return None

    def _selects(self, obj: Object) -> bool:
        return self._by_label(obj) and self._by_field(obj)

    def _told(self, change: str, obj: Object) -> bytes:
        if not self._form:
            return _line(change, reading.show(self._store, self._kind, obj))
        form = "PartialObjectMetadata" if self._form.startswith("Partial") else self._form
        shaped = reading.in_form(self._store, self._kind, [obj], self._query, form, header=self._header_due)
        self._header_due = False
        if form == "Table":
            shaped["metadata"] = {"resourceVersion": obj["metadata"]["resourceVersion"]}
        return _line(change, shaped)

    def _bookmark(self, annotations: dict[str, str]) -> bytes:
        self._revision = max(self._revision, self._store.revision) if not self._behind() else self._revision
        metadata: dict[str, Any] = {"resourceVersion": str(self._revision), "creationTimestamp": None}
        if annotations:
            metadata["annotations"] = annotations
        obj: dict[str, Any] = {
            "kind": self._kind.kind,
            "apiVersion": self._kind.api_version,
            "metadata": metadata,
        }
        if self._form == "Table":
            row = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata}
            obj = {
                "kind": "Table",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": {"resourceVersion": str(self._revision)},
                "columnDefinitions": [],
                "rows": [{"cells": [], "object": row}],
            }
        return _line("BOOKMARK", obj)

    def _behind(self) -> bool:
        return bool(self._store.journal.since(self._kind.store, self._revision))


def _line(change: str, obj: Any) -> bytes:
    return msgspec.json.encode({"type": change, "object": obj}) + b"\n"

"""One line of JSON for every request that is over: who, what, how long. Never a key, a prompt or an answer."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from metering.gateway.call import Call

#: Seconds for which lines are gathered, so that a busy gateway writes seldom.
_GATHER = 0.2


class AccessLog:
    """Lines on standard output; nothing when it is off."""

    def __init__(self, is_on: bool) -> None:
        self._is_on = is_on
        self._lines: list[bytes] = []

    def write(self, call: Call) -> None:
        if not self._is_on:
            return
        event = call.event
        line: dict[str, object] = {
            "time": round(time.time(), 3),
            "request": f"req_{call.id}",
            "status": call.status,
            "milliseconds": round(call.seconds * 1000, 1),
        }
        if event is not None:
            line |= {
                "model": event.deployment,
                "end": event.status,
                "organization": event.organization_id,
                "user": event.user_id,
                "api_key": event.api_key_id,
                "input": event.input_tokens,
                "output": event.output_tokens,
            }
        if not self._lines:
            asyncio.get_running_loop().call_later(_GATHER, self.close)
        self._lines.append(msgspec.json.encode(line))

    def close(self) -> None:
        """Writes what is gathered."""
        if self._lines:
            lines, self._lines = self._lines, []
            sys.stdout.buffer.write(b"\n".join(lines) + b"\n")
            sys.stdout.buffer.flush()

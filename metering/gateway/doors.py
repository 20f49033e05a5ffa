"""The addresses that the gateway has, and nothing else: an engine's other ones are not to be reached through it."""

from __future__ import annotations

import ipaddress
import time
from typing import TYPE_CHECKING

import msgspec

from metering.gateway import body, errors, figures
from metering.gateway.call import Call
from metering.gateway.connection import Connection, Listener, Request
from metering.gateway.errors import Refusal
from metering.gateway.snapshot import Key
from metering.keys import digest

if TYPE_CHECKING:
    from metering.gateway.gateway import Gateway

_OF_ENGINES = frozenset({body.CHAT, body.COMPLETIONS, body.EMBEDDINGS})
_METHODS = {
    "/v1/models": "GET",
    "/healthz": "GET",
    "/readyz": "GET",
    "/metrics": "GET",
    **dict.fromkeys(_OF_ENGINES, "POST"),
}
_MODEL = "/v1/models/"
_LONGEST_KEY = 200


class Doors:
    """Hands requests on to who answers them."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self.most_body = gateway.settings.most_body
        self.is_draining = False

    def early(self, request: Request) -> Refusal | None:
        """What can be said before the body has come; finds the key."""
        method, path = request.method, request.path
        allowed = "GET" if path.startswith(_MODEL) else _METHODS.get(path)
        if allowed is None:
            message = f"There is nothing at {method[:20]} {path[:200]}."
            return Refusal(404, message, code="unknown_url")
        if method != allowed and not (method == "HEAD" and allowed == "GET"):
            return Refusal(
                405,
                f"{method[:20]} is not allowed here.",
                code="method_not_allowed",
                headers=((b"allow", allowed.encode()),),
            )
        if not path.startswith("/v1/"):
            return None
        found = self._key(request.authorization)
        if isinstance(found, Refusal):
            return found
        request.key = found
        return None

    def handle(self, connection: Connection, request: Request) -> Listener | None:
        path = request.path
        if request.key is not None:
            if path in _OF_ENGINES:
                return self._call(connection, request, request.key)
            self._models(connection, path, request.key)
        elif path == "/healthz":
            connection.answer(200, b'{"status":"alive"}')
        elif path == "/readyz":
            self._ready(connection)
        else:
            self._metrics(connection)
        return None

    def _key(self, authorization: str) -> Key | Refusal:
        scheme, _, text = authorization.partition(" ")
        text = text.strip()
        if scheme.lower() != "bearer" or not text:
            return errors.no_key()
        if len(text) > _LONGEST_KEY or not text.isascii():
            return errors.unknown_key()
        key = self._gateway.snapshot.keys.by_digest.get(digest(text))
        if key is None or (key.expires and key.expires <= time.time()):
            return errors.unknown_key()
        return errors.suspended() if key.is_suspended else key

    def _call(self, connection: Connection, request: Request, key: Key) -> Listener | None:
        gateway = self._gateway
        if len(gateway.calls) >= gateway.settings.most_requests:
            connection.refuse(errors.overloaded())
            return None
        call = Call(gateway, connection, request, key)
        gateway.begin(call)
        return call

    def _models(self, connection: Connection, path: str, key: Key) -> None:
        """What this key may use, or one of it."""
        entries = [
            {"id": route.name, "object": "model", "created": route.created, "owned_by": "slipway"}
            for route in self._gateway.snapshot.models_of(key)
        ]
        if path.startswith(_MODEL):
            name = path.removeprefix(_MODEL)
            found = next((entry for entry in entries if entry["id"] == name), None)
            if found is None:
                connection.refuse(errors.unknown_model(name))
            else:
                connection.answer(200, msgspec.json.encode(found))
            return
        connection.answer(200, msgspec.json.encode({"object": "list", "data": entries}))

    def _ready(self, connection: Connection) -> None:
        """Takes requests: it has a snapshot, whoever gave it, and is not about to stop."""
        is_ready = self._gateway.snapshot.read_at > 0 and not self.is_draining
        checks = {"ready": is_ready, "draining": self.is_draining}
        connection.answer(200 if is_ready else 503, msgspec.json.encode(checks))

    def _metrics(self, connection: Connection) -> None:
        """For the operators' own Prometheus: it names models, so it is not for who comes in by the public door."""
        if connection.is_forwarded or not _is_near(connection.peer):
            connection.refuse(Refusal(404, "There is nothing at GET /metrics.", code="unknown_url"))
            return
        page = self._gateway.figures.page()
        connection.answer(200, page, [(b"content-type", figures.CONTENT_TYPE)])


def _is_near(peer: str) -> bool:
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return False
    return address.is_private or address.is_loopback

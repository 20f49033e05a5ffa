"""Webhooks over TLS, on a real socket: the certificate has to be valid, and for the name that was entered."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from console.notices import posting
from tests.deployments.endpoints.certificates import Made, make

HOST = "hooks.example.com"
ROUND = {"start": timezone.now() - timedelta(days=2), "end": timezone.now() + timedelta(days=2)}


@contextlib.contextmanager
def receiver(folder: Path, shown: Made) -> Iterator[tuple[int, list[bytes]]]:
    """Its port and what reached it after the handshake."""
    (folder / "pair.pem").write_text(shown.key_pem + shown.pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "pair.pem")
    listener, heard = socket.create_server(("127.0.0.1", 0)), list[bytes]()

    def serve() -> None:
        with (
            contextlib.suppress(OSError),
            context.wrap_socket(listener.accept()[0], server_side=True) as peer,
        ):
            said = peer.recv(65536)
            # Head and body may come one after the other; what is not read when it is closed cuts the answer off.
            while said and not said.endswith(b"{}") and (more := peer.recv(65536)):
                said += more
            heard.append(said)
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    thread = threading.Thread(target=serve)
    thread.start()
    with listener:
        yield listener.getsockname()[1], heard
        thread.join()


@pytest.fixture
def authority(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Made:
    """One that this process trusts; every name leads to loopback, which is allowed."""
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    made = make("Authority", names=(), authority=True, **ROUND)  # type: ignore[arg-type]
    (tmp_path / "authority.pem").write_text(made.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))

    def resolve(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return made


def test_a_valid_certificate_is_taken(authority: Made, tmp_path: Path) -> None:
    shown = make(HOST, names=(HOST,), issuer=authority, **ROUND)  # type: ignore[arg-type]
    with receiver(tmp_path, shown) as (port, heard):
        assert posting.post(f"https://{HOST}:{port}/x", b"{}", {}).status == 200
    assert heard[0].startswith(b"POST /x HTTP/1.1\r\n")


@pytest.mark.parametrize("fault", ["another name", "unknown authority", "expired"])
def test_any_other_one_is_refused_before_a_byte_is_sent(fault: str, authority: Made, tmp_path: Path) -> None:
    span = dict(ROUND)
    if fault == "expired":
        span["end"] = timezone.now() - timedelta(hours=1)
    shown = make(
        HOST,
        names=("other.example.com",) if fault == "another name" else (HOST,),
        issuer=None if fault == "unknown authority" else authority,
        **span,  # type: ignore[arg-type]
    )
    said = rf"The certificate of {HOST} is not valid: "
    with receiver(tmp_path, shown) as (port, heard), pytest.raises(posting.Unsent, match=said):
        posting.post(f"https://{HOST}:{port}/x", b"{}", {})
    assert not heard

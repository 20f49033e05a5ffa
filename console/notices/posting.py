"""The one door through which webhooks leave: a POST to exactly the address that was judged, within bounds.

A name is resolved once, every address that it leads to is judged, and the socket goes to one of these, so that a name
that changes its mind between check and use gains nothing. Redirects are answers, certificates are verified, no proxy of
the environment is used, and whatever the receiver does, it is over in time.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import urllib3
from django.conf import settings
from urllib3.connection import HTTPConnection, HTTPSConnection

from console.notices.addresses import AddressRefused, Network, judge, judge_ip

CONNECT_SECONDS, READ_SECONDS, ALL_SECONDS = 5.0, 10.0, 20.0
MOST_TRIED = 3
"""Addresses of a name that are connected to, one after the other; judged are all of them."""
MOST_ANSWER = 64 * 1024
"""Bytes of an answer that are read; nothing of it is shown."""


class Unsent(RuntimeError):
    """No whole answer came back; the message is a sentence for people."""


class Answer(NamedTuple):
    """A receiver's."""

    status: int
    retry_after: str


def allowed_networks() -> list[Network]:
    """Inner networks that webhooks may go to, by WEBHOOK_NETWORKS."""
    return [ipaddress.ip_network(text.strip()) for text in settings.WEBHOOK_NETWORKS]


def post(url: str, body: bytes, headers: dict[str, str]) -> Answer:
    """Sends once. Raises Unsent, and AddressRefused for an address that is not spoken to."""
    allowed = allowed_networks()
    parts = judge(url, allowed)
    host, is_plain = parts.hostname or "", parts.scheme == "http"
    timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
    connection: _Plain | _Secure
    if is_plain:
        connection = _Plain(host, parts.port or 80, timeout=timeout.connect_timeout)
    else:
        context = ssl.create_default_context()
        connection = _Secure(host, parts.port or 443, timeout=timeout.connect_timeout, ssl_context=context)
    connection.allowed, connection.is_plain = allowed, is_plain
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        with _bounded(connection):
            connection.connect()
            assert connection.sock is not None
            connection.sock.settimeout(timeout.read_timeout)
            connection.request("POST", target, body=body, headers=headers, preload_content=False)
            response = connection.getresponse()
            read = 0
            while read < MOST_ANSWER and (piece := response.read1(MOST_ANSWER - read)):
                read += len(piece)
    except AddressRefused:
        raise
    except ssl.SSLCertVerificationError as error:
        raise Unsent(f"The certificate of {host} is not valid: {error.verify_message}.") from error
    except TimeoutError as error:
        raise Unsent(f"{host} did not answer in time.") from error
    except (OSError, urllib3.exceptions.HTTPError, http.client.HTTPException) as error:
        raise Unsent(f"No whole answer from {host}: {_words(error)}.") from error
    finally:
        connection.close()
    return Answer(response.status, response.headers.get("Retry-After", ""))


class _Judged:
    """What both connections do when they connect."""

    allowed: Sequence[Network] = ()
    is_plain = False

    def open(self, host: str, port: int, timeout: float) -> socket.socket:
        try:
            found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:
            raise Unsent(f"The name {host} leads nowhere.") from error
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        for address in addresses:
            judge_ip(address, self.allowed, is_plain=self.is_plain)
        failure: OSError = OSError("it has no address")
        for address in addresses[:MOST_TRIED]:
            try:
                return socket.create_connection((address, port), timeout)
            except OSError as error:
                failure = error
        raise failure


class _Plain(_Judged, HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return self.open(self.host, self.port, CONNECT_SECONDS)


class _Secure(_Judged, HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return self.open(self.host, self.port, CONNECT_SECONDS)


@contextlib.contextmanager
def _bounded(connection: HTTPConnection) -> Iterator[None]:
    """Ends the connection when the time is over, however slowly something still comes."""
    is_late = threading.Event()

    def end() -> None:
        is_late.set()
        with contextlib.suppress(OSError):
            if connection.sock is not None:
                connection.sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(ALL_SECONDS, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    except Exception as error:
        if is_late.is_set():
            raise TimeoutError from error
        raise
    finally:
        timer.cancel()


def _words(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens there"
    if isinstance(error, ConnectionError):
        return "the connection was cut"
    if isinstance(error, ssl.SSLError):
        return "TLS failed"
    if isinstance(error, (urllib3.exceptions.HTTPError, http.client.HTTPException)):
        return "it was cut short or is no HTTP"
    return (getattr(error, "strerror", None) or type(error).__name__)[:100]

"""How bytes get to a Kubernetes API: connections that check where they lead, and bounded answers.

The official client's own connection pool is kept; only the moment of connecting is ours. A name is resolved once,
each address is judged, and the socket goes to exactly the address that was judged, so that a name that changes
its mind between check and use gains nothing. Redirects are not followed and no proxy of the environment is used.
"""

from __future__ import annotations

import os
import socket
import ssl
import tempfile
import time
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NameResolutionError, NewConnectionError
from urllib3.util import connection as plain

from deployments.kube.addresses import AddressRefused, judge_ip
from deployments.kube.errors import RefusedAddress, TooLarge, Unreachable
from deployments.kube.kubeconfig import ClusterAccess

CHUNK = 256 * 1024


def judged_socket(connection: HTTPConnection) -> socket.socket:
    """A connected socket to the first address of the host that may be spoken to and answers."""
    host, port = connection._dns_host, connection.port
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        reason = error if isinstance(error, socket.gaierror) else socket.gaierror(str(error))
        raise NameResolutionError(host, connection, reason) from error
    failure: OSError | None = None
    for address in dict.fromkeys(str(entry[4][0]) for entry in found):
        try:
            judge_ip(address)
        except AddressRefused as error:
            raise RefusedAddress(f"{host} leads to {address}. {error}") from None
        try:
            return plain.create_connection(
                (address, port), connection.timeout, socket_options=connection.socket_options
            )
        except OSError as error:
            failure = error
    if isinstance(failure, TimeoutError):
        raise urllib3.exceptions.ConnectTimeoutError(
            connection, f"{host} does not answer in time"
        ) from failure
    raise NewConnectionError(connection, f"no connection to {host}: {failure}") from failure


class _JudgedHTTP(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return judged_socket(self)


class _JudgedHTTPS(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return judged_socket(self)


class _JudgedHTTPPool(HTTPConnectionPool):
    ConnectionCls = _JudgedHTTP


class _JudgedHTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _JudgedHTTPS


POOL_CLASSES: dict[str, Any] = {"http": _JudgedHTTPPool, "https": _JudgedHTTPSPool}


def tls_context(access: ClusterAccess) -> ssl.SSLContext:
    """Certificates of an access, without leaving a file behind. Raises Unreachable for unusable PEM text."""
    try:
        context = ssl.create_default_context(cadata=access.ca_pem)
        # Authorities that clusters make for themselves often lack the key identifiers of the strict profile.
        context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
        if not access.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if access.client_certificate_pem and access.client_key_pem:
            _load_pair(context, access.client_certificate_pem, access.client_key_pem)
    except (ssl.SSLError, ValueError) as error:
        raise Unreachable("The certificates of the kubeconfig cannot be used.") from error
    return context


def _load_pair(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """OpenSSL takes a pair from a file only; the file is private and gone before this returns."""
    handle, path = tempfile.mkstemp(prefix="slipway-", suffix=".pem")
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(certificate.rstrip() + "\n" + key.rstrip() + "\n")
        # A callable instead of the terminal's prompt: an encrypted key is refused, not waited for.
        context.load_cert_chain(path, password=lambda: b"")
    finally:
        os.unlink(path)


def read_bounded(response: urllib3.BaseHTTPResponse, most: int, deadline: float) -> bytes:
    """The body, if it has at most `most` bytes and is here before `deadline` (monotonic seconds).

    Raises TooLarge and Unreachable; either way the connection is not used again.
    """
    body = bytearray()
    try:
        while chunk := response.read1(CHUNK):
            body += chunk
            if len(body) > most:
                raise TooLarge(f"The answer is longer than {most // 1024} KiB and was not read to its end.")
            if time.monotonic() > deadline:
                raise Unreachable("The answer does not come to an end in time.")
    except BaseException:
        response.close()
        raise
    response.release_conn()
    return bytes(body)

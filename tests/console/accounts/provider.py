"""A small OpenID Connect provider over HTTP: discovery, authorisation, tokens with PKCE, keys and userinfo.

It is honest unless a test tells it to lie, by what it changes in `claims`, `userinfo` or `lies`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

CLIENT, SECRET = "slipway", "the-client's-secret"


@dataclass
class Provider:
    """Who signs in there next, and how it lies. `claims` and `userinfo` are laid over the true ones; None removes."""

    issuer: str = ""
    subject: str = "u-1"
    email: str = "ada@example.com"
    verified: Any = True
    groups: Any = field(default_factory=list)
    name: str = "Ada Berg"
    claims: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] = field(default_factory=dict)
    discovery: dict[str, Any] = field(default_factory=dict)
    lies: dict[str, Any] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    """What was asked of the authorisation endpoint."""
    signed_in_at: float | None = None

    def __post_init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.codes: dict[str, dict[str, str]] = {}
        self.tokens: set[str] = set()

    def document(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
            **self.discovery,
        }

    def authorize(self, query: dict[str, str]) -> str:
        """Signs the person in, without asking, and says where the browser goes."""
        self.asked.append(query)
        code = secrets.token_urlsafe(16)
        self.codes[code] = query
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def token(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        asked = self.codes.pop(form.get("code", ""), None)
        proof = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if (
            asked is None
            or form.get("client_id") != CLIENT
            or form.get("client_secret") != SECRET
            or form.get("redirect_uri") != asked["redirect_uri"]
            or base64.urlsafe_b64encode(proof).rstrip(b"=").decode() != asked["code_challenge"]
        ):
            return 400, {"error": "invalid_grant"}
        token = secrets.token_urlsafe(16)
        self.tokens.add(token)
        return 200, {"access_token": token, "token_type": "Bearer", "id_token": self.id_token(asked)}

    def id_token(self, asked: dict[str, str]) -> str:
        now = int(time.time())
        true = {
            "iss": self.issuer,
            "sub": self.subject,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": asked.get("nonce", ""),
            "auth_time": int(self.signed_in_at or now),
            "groups": self.groups,
        }
        said = {name: value for name, value in {**true, **self.claims}.items() if value is not None}
        algorithm = self.lies.get("algorithm", "RS256")
        if algorithm == "none":
            return jwt.encode(said, None, algorithm="none", headers={"kid": "one"})
        if algorithm == "HS256":
            # The classic confusion: the published key's text, used as a shared secret.
            secret = json.dumps(self.keys()).encode()
            return jwt.encode(said, secret, algorithm="HS256", headers={"kid": "one"})
        return jwt.encode(said, self.lies.get("key", self.key), algorithm="RS256", headers={"kid": "one"})

    def keys(self) -> dict[str, Any]:
        public = RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return {"keys": [{**public, "kid": "one", "use": "sig", "alg": "RS256"}]}

    def about(self) -> dict[str, Any]:
        true = {"sub": self.subject, "email": self.email, "email_verified": self.verified, "name": self.name}
        return {**true, **self.userinfo}


class _Handler(BaseHTTPRequestHandler):
    provider: Provider

    def do_GET(self) -> None:
        place = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(place.query).items()}
        if place.path == "/authorize":
            self.send_response(302)
            self.send_header("Location", self.provider.authorize(query))
            self.end_headers()
        elif place.path == "/.well-known/openid-configuration":
            self._answer(200, self.provider.document())
        elif place.path == "/keys":
            self._answer(200, self.provider.keys())
        elif place.path == "/userinfo":
            bearer = self.headers.get("Authorization", "").removeprefix("Bearer ")
            known = bearer in self.provider.tokens
            self._answer(200 if known else 401, self.provider.about() if known else {})
        else:
            self._answer(404, {})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        self._answer(*self.provider.token(form))

    def _answer(self, status: int, data: dict[str, Any]) -> None:
        body = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@contextmanager
def running() -> Iterator[Provider]:
    """The provider at an address of its own on loopback."""
    provider = Provider()
    handler = type("Handler", (_Handler,), {"provider": provider})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    provider.issuer = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

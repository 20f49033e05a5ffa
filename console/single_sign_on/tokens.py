"""Whether an ID token may be believed (OpenID Connect Core 1.0, section 3.1.3.7): signature, issuer, audience, time,
nonce, and how long ago the person signed in there."""

import hmac
import time
from collections.abc import Mapping
from typing import Any

import jwt

ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
"""Signatures with a key pair only: never `none`, and never a shared secret that could be a public key's text."""
_LEEWAY = 30
"""Seconds that clocks may differ."""


class Unbelievable(ValueError):
    """The token is not what we asked for; the message says why and holds nothing of the token."""


def believe(
    token: str,
    keys: Mapping[str, Any],
    *,
    issuer: str,
    client: str,
    nonce: str,
    max_age: int | None = None,
) -> dict[str, Any]:
    """The claims of a token that is signed by one of `keys` (a JWK set). Raises Unbelievable.

    `max_age`: how many seconds ago, at most, the person signed in at the provider.
    """
    try:
        header = jwt.get_unverified_header(token)
        algorithm = header.get("alg")
        if algorithm not in ALGORITHMS:
            raise Unbelievable("It is signed in a way that is not accepted.")
        claims: dict[str, Any] = jwt.decode(
            token,
            _key(keys, header.get("kid"), algorithm),
            algorithms=[algorithm],
            audience=client,
            issuer=issuer,
            leeway=_LEEWAY,
            options={"require": ["iss", "sub", "aud", "exp", "iat"]},
        )
    except jwt.PyJWTError as error:
        raise Unbelievable(f"{type(error).__name__}.") from None
    if not isinstance(claims["sub"], str) or not claims["sub"] or len(claims["sub"]) > 191:
        raise Unbelievable("Its subject is not a short word.")
    audience = claims["aud"]
    if (isinstance(audience, list) and len(audience) > 1 and "azp" not in claims) or claims.get(
        "azp", client
    ) != client:
        raise Unbelievable("It was made for another client.")
    if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
        raise Unbelievable("Its nonce is not the one that was sent.")
    if max_age is not None:
        signed_in = claims.get("auth_time")
        if not isinstance(signed_in, int | float) or time.time() - signed_in > max_age + _LEEWAY:
            raise Unbelievable("The sign-in at the provider is not recent.")
    return claims


def _key(keys: Mapping[str, Any], name: object, algorithm: str) -> Any:
    """The key that the token names; a provider with a single key need not name it."""
    found = jwt.PyJWKSet.from_dict(dict(keys)).keys
    named = [key for key in found if key.key_id == name] if name is not None else found
    if len(named) != 1:
        raise Unbelievable("It is signed with a key that the provider does not publish.")
    key = named[0]
    if key.public_key_use not in (None, "sig") or key.algorithm_name != algorithm:
        raise Unbelievable("Its key is for something else.")
    return key.key

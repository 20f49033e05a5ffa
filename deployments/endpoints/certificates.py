"""Judges a certificate chain and its key before they are stored: would a client accept them for this host name?

A certificate that does not fit is found out by the people who call the endpoint, long after whoever uploaded it has
gone home; so everything that a client would object to is said at once, each in a sentence beside its field. Whether
the authority is trusted is not judged: that is the clients' choice. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LARGEST_PEM = 64 * 1024
LONGEST_CHAIN = 10
SMALLEST_RSA = 2048
EXPIRES_SOON = timedelta(days=30)

_CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}
_BROKEN = (hashes.MD5, hashes.SHA1)

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey


@dataclass(frozen=True, slots=True)
class Certificate:
    """What there is to know about the first certificate of a chain."""

    names: tuple[str, ...]
    """DNS names that it is for, as written in it."""
    issuer: str
    key: str
    """Kind and size of its key, as in "RSA 2048"."""
    not_before: datetime
    expires_at: datetime
    self_signed: bool
    chain_length: int

    def covers(self, hostname: str) -> bool:
        return any(name_covers(name, hostname) for name in self.names)

    def expires_soon(self, now: datetime) -> bool:
        return self.expires_at - now < EXPIRES_SOON


@dataclass(frozen=True, slots=True)
class Judgement:
    """`certificate` is None when the chain cannot be read; it can be used when there are no problems."""

    certificate: Certificate | None
    chain_problems: tuple[str, ...] = ()
    key_problems: tuple[str, ...] = ()

    @property
    def accepted(self) -> bool:
        return self.certificate is not None and not self.chain_problems and not self.key_problems


def judge(chain_pem: str, key_pem: str, hostname: str, now: datetime) -> Judgement:
    """Chain and key as they would be served for `hostname` at `now` (aware). Nothing of the key is ever quoted."""
    judgement = judge_chain(chain_pem, hostname, now)
    leaf = None if judgement.certificate is None else x509.load_pem_x509_certificates(chain_pem.encode())[0]
    return Judgement(judgement.certificate, judgement.chain_problems, tuple(_key_problems(key_pem, leaf)))


def judge_chain(chain_pem: str, hostname: str, now: datetime) -> Judgement:
    """The chain alone, where the key is out of our sight."""
    try:
        chain = _read(chain_pem)
        leaf = _describe(chain)
        problems = tuple(_chain_problems(chain, leaf, hostname, now))
    except _Unreadable as error:
        return Judgement(None, (str(error),))
    except (ValueError, UnsupportedAlgorithm):
        return Judgement(None, ("A certificate holds values that cannot be read. Export it again as PEM.",))
    return Judgement(leaf, problems)


def describe(chain_pem: str) -> Certificate | None:
    """The facts of a stored chain, or None."""
    try:
        return _describe(_read(chain_pem))
    except (ValueError, UnsupportedAlgorithm):
        return None


def name_covers(pattern: str, hostname: str) -> bool:
    """Whether a name of a certificate stands for a host name; a wildcard stands for exactly one label."""
    pattern, hostname = pattern.lower().rstrip("."), hostname.lower().rstrip(".")
    if not pattern.startswith("*."):
        return pattern == hostname
    first, dot, rest = hostname.partition(".")
    return bool(first and dot) and rest == pattern[2:] and "." in rest


class _Unreadable(ValueError):
    """The message is a sentence."""


def _read(chain_pem: str) -> list[x509.Certificate]:
    if len(chain_pem) > LARGEST_PEM:
        raise _Unreadable(
            f"The certificate is larger than {LARGEST_PEM // 1024} KiB. Leave out what is no part."
        )
    if "PRIVATE KEY" in chain_pem:
        raise _Unreadable("This holds a private key. Put it into the field for the key, and only there.")
    if "-----BEGIN CERTIFICATE-----" not in chain_pem:
        raise _Unreadable("This is no PEM certificate. It begins with -----BEGIN CERTIFICATE-----.")
    try:
        chain = x509.load_pem_x509_certificates(chain_pem.encode())
    except ValueError:
        raise _Unreadable("The certificate cannot be read. Copy it with its first and last lines.") from None
    if len(chain) > LONGEST_CHAIN:
        raise _Unreadable(
            f"{len(chain)} certificates are too many. Give the chain of one, at most {LONGEST_CHAIN}."
        )
    return chain


def _describe(chain: list[x509.Certificate]) -> Certificate:
    leaf = chain[0]
    return Certificate(
        names=_names(leaf),
        issuer=_name_of(leaf.issuer),
        key=_key_text(leaf.public_key()),
        not_before=leaf.not_valid_before_utc,
        expires_at=leaf.not_valid_after_utc,
        self_signed=leaf.issuer == leaf.subject,
        chain_length=len(chain),
    )


def _chain_problems(
    chain: list[x509.Certificate], leaf: Certificate, hostname: str, now: datetime
) -> Iterator[str]:
    if _is_authority(chain[0]) and not all(map(_is_authority, chain)):
        yield (
            f"The first certificate is that of the authority {_name_of(chain[0].subject)}. "
            "Put the server's certificate first."
        )
        return
    if not leaf.names:
        yield "The certificate names no host: it has no subject alternative names, the only ones that clients read."
    elif hostname and not leaf.covers(hostname):
        yield f"The certificate is for {_listed(leaf.names)}, not for {hostname}. Get one that names it."
    if not _serves(chain[0]):
        yield "The certificate may not be used by a server: its extended key usage leaves server authentication out."
    for number, certificate in enumerate(chain):
        what = "The certificate" if number == 0 else f"The certificate of {_name_of(certificate.subject)}"
        yield from _date_problems(certificate, what, now)
        yield from _strength_problems(certificate, what)
    for lower, upper in pairwise(chain):
        if not _issued(lower, upper):
            yield (
                f"The chain is broken: {_name_of(upper.subject)} did not sign the certificate before it. "
                f"After a certificate comes that of its issuer, here {_name_of(lower.issuer)}."
            )
            break


def _date_problems(certificate: x509.Certificate, what: str, now: datetime) -> Iterator[str]:
    if certificate.not_valid_after_utc <= now:
        yield f"{what} expired on {_day(certificate.not_valid_after_utc)}. Renew it."
    elif certificate.not_valid_before_utc > now:
        yield f"{what} is only valid from {_day(certificate.not_valid_before_utc)} on."


def _strength_problems(certificate: x509.Certificate, what: str) -> Iterator[str]:
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < SMALLEST_RSA:
            yield f"{what} has an RSA key of {key.key_size} bits. Use at least {SMALLEST_RSA}."
    elif isinstance(key, ec.EllipticCurvePublicKey):
        if key.curve.name not in _CURVES:
            yield f"{what} uses the curve {key.curve.name}, which clients refuse. Use P-256 or P-384."
    elif not isinstance(key, ed25519.Ed25519PublicKey):
        yield f"{what} has a kind of key that clients refuse. Use RSA or ECDSA."
    # A root is trusted for being known, not for its signature.
    signature = certificate.signature_hash_algorithm
    if isinstance(signature, _BROKEN) and certificate.issuer != certificate.subject:
        yield f"{what} is signed with {signature.name.upper()}, which clients refuse. Get one signed with SHA-256."


def _key_problems(key_pem: str, leaf: x509.Certificate | None) -> Iterator[str]:
    if len(key_pem) > LARGEST_PEM:
        yield f"The key is larger than {LARGEST_PEM // 1024} KiB."
        return
    if "PRIVATE KEY-----" not in key_pem:
        yield "This is no PEM private key. It begins with -----BEGIN PRIVATE KEY----- or a variant of it."
        return
    try:
        key = serialization.load_pem_private_key(key_pem.encode(), password=None)
    except TypeError:
        yield "The key is encrypted with a passphrase, which nobody could type in. Give it without one."
        return
    except (ValueError, UnsupportedAlgorithm):
        yield "The key cannot be read. Copy it with its first and last lines."
        return
    if leaf is not None and _public_bytes(key.public_key()) != _public_bytes(leaf.public_key()):
        yield "The key does not belong to this certificate. Give the key with which it was requested."


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(found.get_values_for_type(x509.DNSName))


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _serves(certificate: x509.Certificate) -> bool:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return ExtendedKeyUsageOID.SERVER_AUTH in usage or ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in usage


def _issued(lower: x509.Certificate, upper: x509.Certificate) -> bool:
    try:
        lower.verify_directly_issued_by(upper)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _key_text(key: object) -> str:
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"ECDSA {_CURVES.get(key.curve.name, key.curve.name)}"
    return "Ed25519" if isinstance(key, ed25519.Ed25519PublicKey) else "Another kind"


def _public_bytes(key: object) -> bytes:
    made: bytes = key.public_bytes(  # type: ignore[attr-defined]
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return made


def _name_of(name: x509.Name) -> str:
    """The common name, or the organisation, cut to a length that fits a sentence."""
    for oid in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME):
        found = name.get_attributes_for_oid(oid)
        if found:
            return str(found[0].value)[:100]
    return name.rfc4514_string()[:100] or "an unnamed issuer"


def _listed(names: tuple[str, ...]) -> str:
    shown = ", ".join(name[:100] for name in names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown


def _day(at: datetime) -> str:
    return f"{at.day} {at:%b %Y}"

"""Makes certificates for tests: good ones, and ones with any single fault."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
HOST = "models.example.com"

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class Made:
    certificate: x509.Certificate
    key: PrivateKey

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        return key_pem(self.key)


def key_pem(key: PrivateKey, passphrase: str = "") -> str:
    lock = (
        serialization.BestAvailableEncryption(passphrase.encode())
        if passphrase
        else serialization.NoEncryption()
    )
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock).decode()


def elliptic(curve: type[ec.EllipticCurve] = ec.SECP256R1) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(curve())


@cache
def weak() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 1024)


def make(
    common_name: str = HOST,
    *,
    names: tuple[str, ...] = (HOST,),
    issuer: Made | None = None,
    key: PrivateKey | None = None,
    authority: bool = False,
    start: datetime = NOW - timedelta(days=30),
    end: datetime = NOW + timedelta(days=60),
    usage: x509.ObjectIdentifier | None = None,
) -> Made:
    """A certificate signed by `issuer`, or by itself."""
    key = key or elliptic()
    subject = _name(common_name)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False
        )
    if usage:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    return Made(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)


@cache
def root() -> Made:
    return make("Example Root", names=(), authority=True, end=NOW + timedelta(days=3650))


@cache
def issuer() -> Made:
    return make("Example Issuer", names=(), authority=True, issuer=root(), end=NOW + timedelta(days=900))


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])

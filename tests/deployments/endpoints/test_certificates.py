"""A certificate is accepted only if clients would accept it; every fault has its sentence beside its field."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from deployments.endpoints.certificates import describe, judge, name_covers
from tests.deployments.endpoints.certificates import (
    HOST,
    NOW,
    Made,
    elliptic,
    issuer,
    key_pem,
    make,
    root,
    weak,
)

DAY = timedelta(days=1)


def refused(made: Made, sentence: str, *rest: Made) -> None:
    judged = judge(made.pem + "".join(other.pem for other in rest), made.key_pem, HOST, NOW)
    assert not judged.accepted
    assert any(sentence in problem for problem in judged.chain_problems), judged


def test_a_chain_in_order_with_its_key_is_accepted() -> None:
    leaf = make(issuer=issuer())
    judged = judge(leaf.pem + issuer().pem + root().pem, leaf.key_pem, HOST, NOW)
    assert judged.accepted
    assert judged.certificate is not None
    assert judged.certificate.names == (HOST,)
    assert judged.certificate.issuer == "Example Issuer"
    assert judged.certificate.key == "ECDSA P-256"
    assert judged.certificate.chain_length == 3
    assert not judged.certificate.self_signed


def test_a_certificate_signed_by_itself_is_accepted_and_told() -> None:
    leaf = make()
    judged = judge(leaf.pem, leaf.key_pem, HOST, NOW)
    assert judged.accepted
    assert judged.certificate is not None
    assert judged.certificate.self_signed


def test_one_for_another_host_is_refused() -> None:
    refused(make(names=("a.example.com", "b.example.com")), "is for a.example.com, b.example.com, not for")


def test_one_that_only_has_a_common_name_is_refused() -> None:
    refused(make(names=()), "no subject alternative names")


def test_an_expired_one_is_refused() -> None:
    refused(make(end=NOW - DAY), "expired on 22 Nov 2026")
    refused(make(end=NOW), "expired on 23 Nov 2026")


def test_one_of_the_future_is_refused() -> None:
    refused(make(start=NOW + DAY), "only valid from 24 Nov 2026 on")


def test_an_expired_issuer_is_refused_by_name() -> None:
    old = make("Old Issuer", names=(), authority=True, issuer=root(), end=NOW - DAY)
    refused(make(issuer=old), "The certificate of Old Issuer expired", old)


def test_weak_keys_are_refused() -> None:
    refused(make(key=weak()), "RSA key of 1024 bits. Use at least 2048.")
    refused(make(key=elliptic(ec.SECP256K1)), "curve secp256k1")


def test_a_chain_in_the_wrong_order_is_refused() -> None:
    leaf = make(issuer=issuer())
    refused(leaf, "Example Root did not sign the certificate before it", root(), issuer())
    reversed_chain = judge(issuer().pem + leaf.pem, leaf.key_pem, HOST, NOW)
    assert "Put the server's certificate first." in reversed_chain.chain_problems[0]


def test_an_issuer_of_the_same_name_with_another_key_is_refused() -> None:
    twin = make("Example Issuer", names=(), authority=True)
    refused(make(issuer=issuer()), "Example Issuer did not sign", twin)


def test_one_that_is_only_for_clients_is_refused() -> None:
    refused(make(usage=ExtendedKeyUsageOID.CLIENT_AUTH), "may not be used by a server")
    assert judge((good := make(usage=ExtendedKeyUsageOID.SERVER_AUTH)).pem, good.key_pem, HOST, NOW).accepted


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "no PEM certificate"),
        ("hello", "no PEM certificate"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "cannot be read"),
        ("-----BEGIN CERTIFICATE-----", "cannot be read"),
        ("-----BEGIN CERTIFICATE-----" + "A" * 70_000, "larger than 64 KiB"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "holds a private key"),
        ("-----BEGIN CERTIFICATE-----\né\x00\n-----END CERTIFICATE-----", "cannot be read"),
    ],
)
def test_what_is_no_certificate_is_refused(text: str, sentence: str) -> None:
    judged = judge(text, "", HOST, NOW)
    assert judged.certificate is None
    assert sentence in judged.chain_problems[0]
    assert describe(text) is None


def test_the_key_of_another_certificate_is_refused() -> None:
    judged = judge(make().pem, make().key_pem, HOST, NOW)
    assert judged.chain_problems == ()
    assert "does not belong to this certificate" in judged.key_problems[0]


def test_a_key_with_a_passphrase_is_refused() -> None:
    leaf = make()
    judged = judge(leaf.pem, key_pem(leaf.key, "secret"), HOST, NOW)
    assert "encrypted with a passphrase" in judged.key_problems[0]


@pytest.mark.parametrize(
    "text", ["", "hello", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"]
)
def test_what_is_no_key_is_refused(text: str) -> None:
    judged = judge(make().pem, text, HOST, NOW)
    assert judged.key_problems
    assert not judged.accepted


@pytest.mark.parametrize(
    ("name", "host", "covered"),
    [
        ("a.example.com", "a.example.com", True),
        ("A.Example.com", "a.example.com", True),
        ("a.example.com", "b.example.com", False),
        ("*.example.com", "a.example.com", True),
        ("*.example.com", "a.b.example.com", False),
        ("*.example.com", "example.com", False),
        ("*.com", "example.com", False),
        ("*", "example.com", False),
        ("a*.example.com", "ab.example.com", False),
        ("example.com", "a.example.com", False),
    ],
)
def test_a_wildcard_stands_for_one_label(name: str, host: str, covered: bool) -> None:
    assert name_covers(name, host) is covered


@given(st.text(max_size=400), st.text(max_size=400))
def test_any_text_gets_an_answer(chain: str, key: str) -> None:
    assert not judge(chain, key, HOST, NOW).accepted
    framed = f"-----BEGIN CERTIFICATE-----\n{chain}\n-----END CERTIFICATE-----"
    assert not judge(framed, key, HOST, NOW).accepted

"""An endpoint's host name is a name that can be routed, in the form that goes over the wire."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.document.rules import Refused
from deployments.endpoints.hostnames import hostname


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("models.example.com", "models.example.com"),
        ("  Models.Example.COM. ", "models.example.com"),
        ("münchen.example", "xn--mnchen-3ya.example"),
        ("xn--mnchen-3ya.example", "xn--mnchen-3ya.example"),
        ("models", "models"),
        ("3.example", "3.example"),
    ],
)
def test_a_name_is_taken_in_its_plain_form(typed: str, name: str) -> None:
    assert hostname(typed) == name


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("10.0.0.1", "is an IP address"),
        ("169.254.169.254", "link-local"),
        ("2852039166", "unusual spelling"),
        ("0xa9.254.43518", "unusual spelling"),
        ("[::1]", "IP address"),
        ("fe80::1", "IP address"),
        ("localhost", "the machine of whoever asks"),
        ("models.localhost", "the machine of whoever asks"),
        ("metadata.google.internal", "metadata service"),
        ("https://models.example.com", "without https://"),
        ("models.example.com/v1", "without a path"),
        ("models.example.com:8443", "without a port"),
        ("user@example.com", "not a host name"),
        ("*.example.com", "wildcard"),
        ("a_b.example.com", "not a host name"),
        ("-a.example.com", "not a host name"),
        ("a-.example.com", "not a host name"),
        ("a..example.com", "not a host name"),
        ("a" * 64 + ".example.com", "not a host name"),
        (".".join(["a" * 60] * 5), "too long"),
        ("faß.example", "two ways"),
        ("a\x00b", "Control characters"),
        ("a b", "not a host name"),
        ("", "not a host name"),
    ],
)
def test_anything_else_is_refused_with_its_reason(typed: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        hostname(typed)


@given(st.text(max_size=80))
def test_any_text_gives_a_plain_name_or_a_reason(typed: str) -> None:
    try:
        name = hostname(typed)
    except Refused:
        return
    assert name.isascii()
    assert name == name.lower() == hostname(name)

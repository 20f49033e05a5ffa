"""Addresses that are spoken to, and those that are not, in every spelling."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.kube.addresses import AddressRefused, is_loopback, judge_address, judge_host, judge_ip


@pytest.mark.parametrize(
    "url",
    [
        "https://10.0.0.1:6443",
        "https://kubernetes.example.com",
        "https://rancher.example.com/k8s/clusters/c-m-1",
        "https://[fd12:3456::1]:6443",
        "https://127.0.0.1:6443",
        "http://127.0.0.1:8001",
        "http://[::1]:8001",
        "http://localhost:8001",
    ],
)
def test_addresses_of_clusters_are_accepted(url: str) -> None:
    judge_address(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://169.254.169.254",
        "https://169.254.0.1:6443",
        "https://[fe80::1]:6443",
        "https://[::ffff:169.254.169.254]",
        "https://[::ffff:a9fe:a9fe]",
        "https://[::169.254.169.254]",
        "https://[64:ff9b::a9fe:a9fe]",
        "https://[2002:a9fe:a9fe::1]",
        "https://[fd00:ec2::254]",
        "https://2852039166",
        "https://0xa9fea9fe",
        "https://0251.0376.0251.0376",
        "https://0xa9.0xfe.0xa9.0xfe",
        "https://169.254.43518",
        "https://169.16689662",
        "https://100.100.100.200",
        "https://metadata.google.internal",
        "https://METADATA.google.internal.",
        "https://metadata",
        "https://instance-data",
        "https://0.0.0.0",
        "https://0",
        "https://[::]",
        "https://224.0.0.1",
        "https://255.255.255.255",
    ],
)
def test_metadata_services_are_refused_in_every_spelling(url: str) -> None:
    with pytest.raises(AddressRefused):
        judge_address(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1:6443",
        "http://example.com",
        "http://127.0.0.1.example.com",
        "file:///etc/passwd",
        "gopher://10.0.0.1",
        "unix:///run/docker.sock",
        "https://",
        "https:///path",
        "https://user@10.0.0.1",
        "https://user:word@10.0.0.1",
        "https://10.0.0.1/?next=1",
        "https://10.0.0.1/#x",
        "https://10.0.0.1:99999",
        "https://10.0.0.1:port",
        "https://exa mple.com",
        "https://exam\nple.com",
        "https://exam\x00ple.com",
        "https://-bad.example",
        "https://" + "a" * 3000,
        "10.0.0.1:6443",
        "",
    ],
)
def test_what_is_no_https_address_is_refused(url: str) -> None:
    with pytest.raises(AddressRefused):
        judge_address(url)


@given(st.text(max_size=60))
def test_any_text_is_judged_without_another_error(text: str) -> None:
    for judge in (judge_address, judge_host):
        with contextlib.suppress(AddressRefused):
            judge(text)


@given(st.integers(0, 0xFFFF))
def test_the_whole_link_local_range_is_refused_wrapped_or_not(low: int) -> None:
    plain = f"169.254.{low >> 8}.{low & 255}"
    for spelling in (plain, f"::ffff:{plain}", f"64:ff9b::a9fe:{low:x}"):
        with pytest.raises(AddressRefused):
            judge_ip(spelling)


def test_only_this_machine_is_loopback() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.8.8.8", "[::1]", "localhost", "::ffff:127.0.0.1")))
    assert not any(map(is_loopback, ("10.0.0.1", "localhost.example.com", "example.com")))

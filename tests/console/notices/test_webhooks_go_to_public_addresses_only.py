"""E21: no webhook reaches what is inside: refused when it is saved, and on the socket when it is sent."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from pytest_django import Settings

from console.notices import posting
from console.notices.addresses import AddressRefused, judge, judge_ip
from tests.faults.server import faulty_server, says

REFUSED = [
    "https://127.0.0.1/x",
    "https://127.1/x",
    "https://[::1]/x",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:a9fe:a9fe]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[fe80::1%25eth0]/",
    "https://[fd00:ec2::254]/",
    "https://[fc00::1]/",
    "https://[::]/",
    "https://0.0.0.0/",
    "https://0/",
    "https://169.254.169.254/latest/meta-data/",
    "https://100.100.100.200/",
    "https://100.64.0.1/",
    "https://10.1.2.3/",
    "https://172.16.0.1/",
    "https://192.168.1.1/",
    "https://224.0.0.1/",
    "https://2130706433/",
    "https://0177.0.0.1/",
    "https://0x7f.1/",
    "https://017700000001/",
    "https://user@hooks.example.com/",
    "https://user:password@hooks.example.com/",
    "https://hooks.example.com@127.0.0.1/",
    "https://@hooks.example.com/",
    "https://hooks.example.com\\@127.0.0.1/",
    "https://localhost/",
    "https://a.localhost/",
    "https://metadata.google.internal/",
    "https://kubernetes.default.svc/",
    "https://hooks.example.com/#part",
    "https://hooks.exämple.com/",
    "https://hooks..example.com/",
    "https://-hooks.example.com/",
    "https://hooks.example.com:99999/",
    "https://hooks.example.com:x/",
    "https://hooks.example.com/a b",
    "https://hooks.example.com/\r\nHost: inside",
    "https:///x",
    "https://[/",
    "http://hooks.example.com/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:70/",
    "ftp://hooks.example.com/",
    "//hooks.example.com/",
    "hooks.example.com",
    "",
    "https://hooks.example.com/" + "a" * 2048,
]


@pytest.mark.parametrize("url", REFUSED, ids=lambda url: url[:50])
def test_an_address_inside_or_an_odd_one_is_refused(url: str) -> None:
    with pytest.raises(AddressRefused) as refused:
        judge(url)
    assert str(refused.value).endswith(".")


@pytest.mark.parametrize(
    "url", ["https://hooks.example.com", "https://93.184.216.34:8443/x?y=z", "https://[2606:2800:220:1::1]/"]
)
def test_a_public_address_is_taken(url: str) -> None:
    judge(url)


@pytest.mark.parametrize(
    "leads_to",
    ["127.0.0.1", "10.0.0.8", "169.254.169.254", "::1", "::ffff:10.0.0.8", "fd12::1", "100.64.1.1"],
)
def test_a_name_that_leads_inside_is_refused_on_the_socket(
    leads_to: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A public address beside it does not help: which of them is taken would be chance."""
    connected = list[Any]()
    monkeypatch.setattr(socket, "getaddrinfo", answers("93.184.216.34", leads_to))
    monkeypatch.setattr(socket, "create_connection", lambda *given, **_: connected.append(given))
    with pytest.raises(AddressRefused):
        posting.post("https://hooks.example.com/", b"{}", {})
    assert not connected


def test_a_name_that_changes_its_mind_gains_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name is asked once, and the socket goes to the address that was judged and not to the name."""
    asked, connected = list[str](), list[Any]()

    def resolve(host: str, *_: Any, **__: Any) -> Any:
        asked.append(host)
        return answers("93.184.216.34" if len(asked) == 1 else "127.0.0.1")()

    def connect(address: Any, *_: Any, **__: Any) -> Any:
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(posting.Unsent, match="nobody listens"):
        posting.post("https://hooks.example.com/", b"{}", {})
    assert (asked, connected) == (["hooks.example.com"], [("93.184.216.34", 443)])


def test_an_inner_network_is_reached_only_when_it_is_allowed(settings: Settings) -> None:
    with faulty_server(says(200)) as server:
        with pytest.raises(AddressRefused):
            posting.post(server.url, b"{}", {})
        settings.WEBHOOK_NETWORKS = ["10.0.0.0/8"]
        with pytest.raises(AddressRefused, match="WEBHOOK_NETWORKS"):
            posting.post(server.url, b"{}", {})
        assert not server.requests
        settings.WEBHOOK_NETWORKS = ["127.0.0.0/8"]
        assert posting.post(server.url, b"{}", {}).status == 200


def test_a_metadata_service_is_in_no_allowed_network(settings: Settings) -> None:
    settings.WEBHOOK_NETWORKS = ["0.0.0.0/0", "::/0"]
    for address in ("169.254.169.254", "::ffff:169.254.169.254", "fd00:ec2::254", "100.100.100.200"):
        with pytest.raises(AddressRefused):
            judge_ip(address, posting.allowed_networks())


def test_plain_http_goes_to_allowed_networks_only(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.WEBHOOK_NETWORKS = ["10.0.0.0/8"]
    monkeypatch.setattr(socket, "getaddrinfo", answers("93.184.216.34"))
    with pytest.raises(AddressRefused, match="needs https"):
        posting.post("http://hooks.example.com/", b"{}", {})


def test_a_redirect_to_an_address_inside_is_an_answer_and_not_a_way(settings: Settings) -> None:
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    with faulty_server(says(200)) as inside, faulty_server(says(307, Location=inside.url)) as server:
        assert posting.post(server.url, b"{}", {}).status == 307
        assert not inside.requests


def test_a_proxy_of_the_environment_is_not_used(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    with faulty_server(says(200)) as proxy, faulty_server(says(204)) as server:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert posting.post(server.url, b"{}", {}).status == 204
        assert not proxy.requests


def answers(*addresses: str) -> Any:
    def resolve(*_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in addresses]

    return resolve

"""The true address of a client, and the id of a request: believed only from a proxy that is configured."""

from __future__ import annotations

import logging
import re

import pytest
from django.test import Client, RequestFactory
from pytest_django import Settings

from console.origin import RequestId, client_address, identified, request_id

PROXY = "192.0.2.1"


def address(forwarded: str | None, direct: str = PROXY) -> str:
    headers = {} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded}
    return client_address(RequestFactory().get("/", REMOTE_ADDR=direct, **headers))


@pytest.mark.parametrize("forwarded", [None, "", "203.0.113.9", "203.0.113.9, 198.51.100.7", "nonsense"])
def test_without_a_proxy_nobody_is_believed(forwarded: str | None) -> None:
    assert address(forwarded) == PROXY


@pytest.mark.parametrize(
    ("count", "forwarded", "found"),
    [
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "10.0.0.1, 203.0.113.9", "203.0.113.9"),
        (1, " 10.0.0.1 ,  203.0.113.9 ", "203.0.113.9"),
        (2, "10.0.0.1, 203.0.113.9, 198.51.100.7", "203.0.113.9"),
        (2, "203.0.113.9", PROXY),
        (1, None, PROXY),
        (1, "", PROXY),
        (1, "203.0.113.9, unknown", PROXY),
        (1, "203.0.113.9, <script>", PROXY),
        (1, "2001:DB8:0::1", "2001:db8::1"),
        (1, "::ffff:203.0.113.9", "203.0.113.9"),
        (1, "fe80::1%eth0", "fe80::1"),
    ],
)
def test_behind_proxies_it_is_the_nth_from_the_right(
    settings: Settings, count: int, forwarded: str | None, found: str
) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = count
    assert address(forwarded) == found


def test_behind_a_unix_socket_there_may_be_none() -> None:
    assert address(None, direct="") == ""


@pytest.mark.parametrize("given", ["abc-1", "x" * 64])
def test_a_proxy_may_name_the_request(client: Client, settings: Settings, given: str) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    assert client.get("/healthz", headers={"X-Request-ID": given})["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "a\nb", "<b>", "é"])
def test_what_is_no_id_is_replaced(client: Client, settings: Settings, given: str) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    answer = client.get("/healthz", headers={"X-Request-ID": given})
    assert re.fullmatch("[0-9a-f]{32}", answer["X-Request-ID"])


def test_without_a_proxy_every_request_gets_an_id_of_its_own(client: Client) -> None:
    ids = {client.get("/healthz", headers={"X-Request-ID": "mine"})["X-Request-ID"] for _ in range(3)}
    assert len(ids) == 3
    assert "mine" not in ids


def test_log_lines_carry_the_id_of_their_request() -> None:
    def line() -> str:
        record = logging.LogRecord("a", logging.INFO, "", 0, "text", (), None)
        assert RequestId().filter(record)
        return str(record.request_id)  # type: ignore[attr-defined]

    seen: list[str] = []

    def answer(request: object) -> object:
        from django.http import HttpResponse

        seen.extend([line(), request_id()])
        return HttpResponse()

    response = identified(answer)(RequestFactory().get("/"))  # type: ignore[arg-type]
    assert seen == [f" [{response['X-Request-ID']}]", response["X-Request-ID"]]
    assert line() == ""

"""A kubeconfig gives an address and credentials, and nothing that runs or reads anything here."""

import base64
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from deployments.kube.kubeconfig import ClusterAccess, KubeconfigRefused, read

PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
KEY = "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n"
CANARY = "canary-token-1234567890"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def kubeconfig(cluster: dict[str, Any] | None = None, user: dict[str, Any] | None = None, **top: Any) -> str:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://10.1.2.3:6443"} | (cluster or {})}],
        "users": [{"name": "u", "user": {"token": CANARY} if user is None else user}],
    }
    return yaml.safe_dump(document | top)


def test_a_token_and_an_authority_are_read() -> None:
    access = read(kubeconfig({"certificate-authority-data": encoded(PEM)}))
    assert access == ClusterAccess(server="https://10.1.2.3:6443", ca_pem=PEM, token=CANARY)


def test_a_client_certificate_is_read() -> None:
    access = read(kubeconfig(user={"client-certificate-data": encoded(PEM), "client-key-data": encoded(KEY)}))
    assert (access.client_certificate_pem, access.client_key_pem, access.token) == (PEM, KEY, None)


def test_only_the_current_context_counts() -> None:
    contexts = [
        {"name": "other", "context": {"cluster": "nowhere", "user": "u"}},
        {"name": "here", "context": {"cluster": "c", "user": "u"}},
    ]
    assert read(kubeconfig(contexts=contexts)).server == "https://10.1.2.3:6443"


def test_secrets_are_not_shown() -> None:
    access = read(
        kubeconfig(
            user={"token": CANARY, "client-certificate-data": encoded(PEM), "client-key-data": encoded(KEY)}
        )
    )
    assert CANARY not in repr(access)
    assert "PRIVATE" not in repr(access)


@pytest.mark.parametrize(
    ("user", "word"),
    [
        ({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "aws"}}, "runs a program"),
        ({"auth-provider": {"name": "gcp"}}, "auth provider"),
        ({"tokenFile": "/var/run/token"}, "file"),
        ({"client-certificate": "/etc/cert.pem", "client-key-data": encoded(KEY)}, "file"),
        ({"client-certificate-data": encoded(PEM), "client-key": "/etc/key.pem"}, "file"),
        ({"username": "root", "password": CANARY}, "password"),
        ({"token": CANARY, "as": "system:admin"}, "somebody else"),
        ({"client-certificate-data": encoded(PEM)}, "key"),
        ({"client-certificate-data": "%%%", "client-key-data": encoded(KEY)}, "base64"),
        ({"client-certificate-data": encoded("no pem"), "client-key-data": encoded(KEY)}, "PEM"),
        ({"token": f"{CANARY}\r\nX-Other: 1"}, "characters"),
        ({"token": {"a": 1}}, "text"),
        ({}, "credentials"),
    ],
)
def test_credentials_that_run_or_read_something_are_refused(user: dict[str, Any], word: str) -> None:
    with pytest.raises(KubeconfigRefused, match=word) as refusal:
        read(kubeconfig(user=user))
    assert CANARY not in str(refusal.value)


@pytest.mark.parametrize(
    ("cluster", "word"),
    [
        ({"certificate-authority": "/etc/ca.pem"}, "file"),
        ({"proxy-url": "http://10.0.0.9:3128"}, "proxy"),
        ({"insecure-skip-tls-verify": True}, "insecure"),
        ({"server": "http://10.1.2.3"}, "https"),
        ({"server": "https://169.254.169.254"}, "never spoken to"),
        ({"server": "https://[::ffff:a9fe:a9fe]"}, "never spoken to"),
        ({"server": ""}, "https"),
        ({"server": ["https://10.1.2.3"]}, "text"),
        ({"tls-server-name": "a b"}, "host name"),
    ],
)
def test_clusters_that_lead_elsewhere_are_refused(cluster: dict[str, Any], word: str) -> None:
    with pytest.raises(KubeconfigRefused, match=word):
        read(kubeconfig(cluster))


def test_unverified_tls_is_accepted_on_this_machine_only() -> None:
    access = read(kubeconfig({"server": "https://127.0.0.1:6443", "insecure-skip-tls-verify": True}))
    assert access.verify is False


@pytest.mark.parametrize(
    "text",
    [
        "",
        "- 1",
        "just text",
        "kind: Pod",
        "a: [",
        "\x00",
        "kind: Config\ncurrent-context: here\ncontexts: 7",
        "kind: Config\ncurrent-context: here\ncontexts: [{context: {}}]",
        "kind: Config\ncurrent-context: {a: 1}\ncontexts: []",
        "!!python/object/apply:os.system ['true']",
        b"\xff\xfe\x00",
        "[" * 5000,
        "{a: " * 200 + "1" + "}" * 200,
    ],
)
def test_what_is_no_kubeconfig_is_refused(text: str | bytes) -> None:
    with pytest.raises(KubeconfigRefused):
        read(text)


def test_a_bomb_is_refused_before_it_grows() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    with pytest.raises(KubeconfigRefused, match="aliases"):
        read("\n".join(lines))


def test_a_large_file_is_refused() -> None:
    with pytest.raises(KubeconfigRefused, match="256 KiB"):
        read(kubeconfig() + "#" * 256 * 1024)


def test_a_context_that_leads_nowhere_is_refused() -> None:
    for top in ({"current-context": "gone"}, {"clusters": []}, {"users": []}):
        with pytest.raises(KubeconfigRefused):
            read(kubeconfig(**top))


@given(st.text(max_size=200))
def test_any_text_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(KubeconfigRefused) as refusal:
        read(text)
    assert str(refusal.value).endswith((".", "?"))

"""E24: secrets of every kind go into a running stack, and are looked for in everything that it keeps, says or sends.

The database table by table, the commands that reach Valkey (Celery's messages among them) and what is kept there,
every object in the cluster, all files and log lines, the metrics, and every page that people find by following links.
"""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urljoin, urlsplit

import httpx
import psycopg
import pytest
import redis

from tests.deployments.clusters.conftest import kubeconfig
from tests.deployments.endpoints.certificates import make
from tests.journeys.conftest import Stack
from tests.journeys.test_tenants_call_models import document, mint

pytestmark = pytest.mark.xdist_group("journeys")  # one stack for all of them
PLAIN = "harmless-canary-in-clear"
"""No secret: it has to be found wherever it is put, or the search finds nothing."""
NAME = "secretive"
LINK = re.compile(r'href="(/[^"#]*)')
#: What leads out, or makes something new by being looked at.
LEFT_OUT = re.compile(r"^/(sign-out|static|admin/jsi18n|admin/logout)|/download")
MOST_PAGES = 260


class Console:
    """Somebody at the console, without a browser."""

    made: ClassVar[list[httpx.Client]] = []

    def __init__(self, stack: Stack, email: str = "", password: str = "") -> None:
        self.web = httpx.Client(base_url=stack.console, timeout=60, follow_redirects=True)
        self.made.append(self.web)
        self.get("/sign-in/")
        told = self.post("/sign-in/", {"login": email or stack.admin, "password": password or stack.password})
        assert "/sign-in/" not in str(told.url), email

    def get(self, path: str) -> httpx.Response:
        return self.web.get(path)

    def post(self, path: str, data: dict[str, Any]) -> httpx.Response:
        return self.web.post(path, data=data, headers=self._headers())

    def api(self, method: str, path: str, body: Any) -> dict[str, Any]:
        answer = self.web.request(method, f"/api/v1{path}", json=body, headers=self._headers())
        assert answer.status_code < 300, answer.text
        told: dict[str, Any] = answer.json() if answer.content else {}
        return told

    def _headers(self) -> dict[str, str]:
        (token,) = {cookie.value for cookie in self.web.cookies.jar if "csrf" in cookie.name}
        return {"X-CSRFToken": token or ""}


class Watch:
    """Every command that reaches Valkey meanwhile, as text."""

    def __init__(self, url: str) -> None:
        self.commands: list[str] = []
        self._valkey = redis.Redis.from_url(url)
        self._is_over = False

    @contextmanager
    def watching(self) -> Iterator[None]:
        begun = threading.Event()
        thread = threading.Thread(target=self._listen, args=(begun,))
        thread.start()
        assert begun.wait(10)
        try:
            yield
        finally:
            self._is_over = True
            self._valkey.echo("the last one")
            thread.join(10)

    def _listen(self, begun: threading.Event) -> None:
        with self._valkey.monitor() as monitor:
            begun.set()
            for command in monitor.listen():
                self.commands.append(unfolded(command["command"]))
                if self._is_over:
                    return


def unfolded(text: str) -> str:
    """With what it holds in Base64, as Celery writes bodies."""
    inner = []
    for part in re.findall(r"[A-Za-z0-9+/]{24,}={0,2}", text):
        try:
            inner.append(base64.b64decode(part + "=" * (-len(part) % 4)).decode("utf-8", "replace"))
        except ValueError:
            continue
    return "\n".join([text, *inner])


@pytest.fixture(scope="module", autouse=True)
def closed(stack: Stack) -> Iterator[None]:
    """Afterwards the stack is as the other journeys know it."""
    yield
    ada = Console(stack)
    forget = {"forget_token": True, "forget_ngc_key": True, "description": ""}
    ada.api("PATCH", "/models/opt-125m", forget)
    for path in (f"/deployments/{NAME}", "/endpoints/secretive", "/clusters/nowhere"):
        ada.api("DELETE", path, None)
    for web in Console.made:
        web.close()


@pytest.fixture(scope="module")
def folder(stack: Stack) -> Path:
    return Path(stack.kubeconfig).parents[1]


@pytest.fixture(scope="module")
def settings(folder: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads((folder / "environment.json").read_text())
    return found


@pytest.fixture(scope="module")
def watch(settings: dict[str, str]) -> Watch:
    return Watch(settings["REDIS_URL"])


@pytest.fixture(scope="module")
def secrets(stack: Stack, settings: dict[str, str], watch: Watch) -> dict[str, str]:
    """Everything is put in and used; what it is called, and what must be found nowhere."""
    with watch.watching():
        planted = _put_in(stack)
        planted |= {"SECRET_KEY": settings["SECRET_KEY"]}
        for number, key in enumerate(settings["FIELD_ENCRYPTION_KEYS"].split(",")):
            planted[f"encryption key {number}"] = key.rstrip("=")
        deadline = time.monotonic() + 60  # it is rolled out, so that its secrets are where they belong
        while NAME not in stack.kubectl("get", "pods", "-A", "-o", "name"):
            assert time.monotonic() < deadline
            time.sleep(0.5)
        time.sleep(2)
    assert all(len(secret) >= 8 for secret in planted.values()), planted
    return planted


def _put_in(stack: Stack) -> dict[str, str]:
    ada = Console(stack)
    planted = {"weights token": "hf_canary1weights", "NGC key": "nvapi-canary2ngc"}
    model = {"weights_token": planted["weights token"], "ngc_key": planted["NGC key"], "description": PLAIN}
    ada.api("PATCH", "/models/opt-125m", model)
    text = kubeconfig("https://127.0.0.1:9")
    planted["kubeconfig"] = "canary-token-that-no-page-may-show"
    assert planted["kubeconfig"] in text
    ada.api("POST", "/clusters", {"slug": "nowhere", "name": "Nowhere", "kubeconfig_text": text})
    now = datetime.now(UTC)
    pair = make(names=("secret.example.com",), start=now - timedelta(days=1), end=now + timedelta(days=90))
    planted["TLS key"] = pair.key_pem.splitlines()[1]
    ada.api(
        "POST",
        "/endpoints",
        {"slug": "secretive", "name": "Secretive", "hostname": "secret.example.com", "cluster": "nowhere"}
        | {"namespace": "models", "routing": "gateway", "gateway_name": "gw", "gateway_namespace": "gw"}
        | {"tls": "pem", "tls_certificate": pair.pem, "tls_key_text": pair.key_pem},
    )
    planted["environment"] = "canary3environment"
    variables = [{"name": "HF_EXTRA", "secret": True}, {"name": "IN_CLEAR", "value": PLAIN}]
    given = {
        "document": document(NAME, "opt-125m", {"mode": "private"}, environment=variables),
        "do": "apply",
    }
    told = ada.post("/import/", given | {"secret-HF_EXTRA": planted["environment"]})
    assert told.status_code == 200, told.text
    assert f"/deployments/{NAME}/" in str(told.url)
    planted |= _keys(stack, ada) | _second_factor(stack)
    page = ada.post(
        "/notifications/new/webhook/",
        {"name": "Night", "url": "https://hooks.example.com/", "kinds": "deployment.failed", "reach": "all"},
    ).text
    (signing,) = re.findall(r"whsec_[\w+/]+", page)
    planted["webhook secret"] = signing.removeprefix("whsec_")
    # Somebody mistypes, and puts their password where the address belongs.
    planted["wrong password"] = "canary4-a-wrong-password"
    with httpx.Client(base_url=stack.console, follow_redirects=True) as stranger:
        token = re.search(r'csrfmiddlewaretoken" value="(\w+)"', stranger.get("/sign-in/").text)
        assert token is not None
        given = {"login": stack.admin, "password": planted["wrong password"]}
        stranger.post("/sign-in/", data={"csrfmiddlewaretoken": token[1], **given})
    planted["right password"] = stack.password
    return planted


def _keys(stack: Stack, ada: Console) -> dict[str, str]:
    access = ada.api("POST", "/access-keys", {"name": "ci", "scopes": ["manage_catalog"]})["key"]
    assert httpx.get(
        f"{stack.console}/api/v1/models", headers={"Authorization": f"Bearer {access}"}
    ).is_success
    tenant = {"user": "bob@acme.example", "organization": "acme", "name": "canary"}
    made = ada.api("POST", "/api-keys", tenant)
    rotated = ada.api("POST", f"/api-keys/{made['id']}/rotate", {"overlap_seconds": 60})["key"]
    prompt = "canary5-what-somebody-asks"
    question = {"model": "llama-8b-chat", "messages": [{"role": "user", "content": prompt}], "max_tokens": 3}
    for key in (made["key"], rotated, mint(stack, "bob@acme.example"), rotated[:-1] + "x"):
        httpx.post(
            f"{stack.gateway}/v1/chat/completions", json=question, headers={"Authorization": f"Bearer {key}"}
        )
    bob = Console(stack, "bob@acme.example")
    asked = bob.post(
        "/portal/playground/answer/", {"model": "llama-8b-chat", "prompt": prompt, "max_tokens": "3"}
    )
    assert asked.status_code in (200, 422), asked.text
    return {
        "access key": access[24:],
        "API key": made["key"][20:],
        "rotated key": rotated[20:],
        "prompt": prompt,
    }


def _second_factor(stack: Stack) -> dict[str, str]:
    from tests.console.accounts.test_second_factor import code_for

    code = (
        "from console.models import *; "
        f"user = User.objects.create_user('second@acme.example', '{stack.password}', name='Second'); "
        "Membership.objects.create(user=user, organization=Organization.objects.get(slug='acme'))"
    )
    made = stack.manage("shell", "--no-imports", "-c", code)
    assert made.returncode == 0, made.stderr
    second = Console(stack, "second@acme.example")
    seed = re.search(r'id="secret">([A-Z2-7]+)<', second.get("/accounts/security/app/").text)
    assert seed is not None
    told = second.post("/accounts/security/app/", {"code": code_for(seed[1])})
    assert told.status_code == 200, told.text
    # Codes of eight digits are no canaries: any long file has some. test_second_factor.py has how they are kept.
    return {"TOTP seed": seed[1]}


def found(secrets: dict[str, str], text: str) -> list[str]:
    """As they are, in Base64, or in hexadecimal."""
    return [
        name
        for name, secret in secrets.items()
        if secret in text
        or base64.b64encode(secret.encode()).decode().rstrip("=")[:-1] in text
        or secret.encode().hex() in text
    ]


def test_no_table_of_the_database_has_any(secrets: dict[str, str], settings: dict[str, str]) -> None:
    hits, rows = {}, 0
    # The seed of the example people is the one password of all of them.
    with psycopg.connect(settings["DATABASE_URL"]) as connection:
        tables = [
            row[0]
            for row in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        ]
        dump = {table: _copied(connection, table) for table in tables}
    for table, text in dump.items():
        rows += text.count("\n")
        if names := found(secrets, text):
            hits[table] = names
    assert hits == {}
    assert rows > 1000
    assert PLAIN in dump["deployments_catalogmodel"]
    assert PLAIN in dump["deployments_revision"]


def _copied(connection: psycopg.Connection[Any], table: str) -> str:
    """All of a table; bytes in hexadecimal."""
    with connection.cursor().copy(f'COPY (SELECT * FROM "{table}") TO STDOUT') as copy:
        return b"".join(bytes(part) for part in copy).decode()


def test_nothing_that_reaches_valkey_has_any(
    secrets: dict[str, str], watch: Watch, settings: dict[str, str]
) -> None:
    said = "\n".join(watch.commands)
    assert found(secrets, said) == []
    assert "console.tasks" in said, "messages of Celery were among them"
    assert "slipway" in said
    valkey = redis.Redis.from_url(settings["REDIS_URL"])
    valkey.set("canary", PLAIN, ex=60)
    kept = {name: _held(valkey, name) for name in valkey.scan_iter(count=1000)}
    valkey.delete("canary")
    assert PLAIN in kept.pop(b"canary")
    assert kept
    assert {name: names for name, held in kept.items() if (names := found(secrets, unfolded(held)))} == {}


def _held(valkey: redis.Redis, name: bytes) -> str:
    read: dict[bytes, Any] = {
        b"string": lambda: valkey.get(name),
        b"hash": lambda: valkey.hgetall(name),
        b"list": lambda: valkey.lrange(name, 0, -1),
        b"set": lambda: valkey.smembers(name),
        b"zset": lambda: valkey.zrange(name, 0, -1, withscores=True),
        b"stream": lambda: valkey.xrange(name),
    }
    kind: Any = valkey.type(name)
    return f"{name!r} {read[kind]()!r}" if kind in read else ""


def test_no_object_in_the_cluster_has_any_but_the_secrets_themselves(
    secrets: dict[str, str], stack: Stack
) -> None:
    kinds = stack.kubectl("api-resources", "--verbs=list", "-o", "name").split()
    assert {"secrets", "statefulsets.apps", "pods", "events"} <= set(kinds)
    everything = {kind: stack.kubectl("get", kind, "-A", "-o", "json") for kind in kinds}
    kept = json.loads(everything.pop("secrets"))["items"]
    # A Secret is the place for them: in its data, and neither in its labels nor in its annotations.
    inside = [
        base64.b64decode(value).decode("utf-8", "replace")
        for each in kept
        for value in (each.get("data") or {}).values()
    ]
    assert "environment" in found(secrets, "\n".join(inside))
    for each in kept:
        assert found(secrets, json.dumps(each["metadata"])) == [], each["metadata"]["name"]
    assert {kind: names for kind, text in everything.items() if (names := found(secrets, text))} == {}
    assert PLAIN in everything["statefulsets.apps"]


def test_no_file_and_no_log_line_has_any(secrets: dict[str, str], folder: Path, stack: Stack) -> None:
    httpx.get(f"{stack.console}/sign-in/?next=/{PLAIN}")
    files = [
        path
        for path in (folder.with_name("log"), *folder.rglob("*"))
        # At the top are the settings themselves, for their owner alone; "sandbox" is the cluster's own store.
        if path.is_file() and path.parent != folder and "sandbox" not in path.relative_to(folder.parent).parts
    ]
    assert len(files) > 50
    texts = {str(path): path.read_bytes().decode("latin-1") for path in files}
    # `make up` tells whoever started it the password of the example people, once.
    terminal = str(folder.with_name("log"))
    texts[terminal] = texts[terminal].replace(stack.password, "", 1)
    assert {name: names for name, text in texts.items() if (names := found(secrets, text))} == {}
    assert any(PLAIN in text for text in texts.values())


def test_no_metric_has_any(secrets: dict[str, str], stack: Stack) -> None:
    text = httpx.get(f"{stack.gateway}/metrics").text
    assert "slipway" in text
    assert found(secrets, text) == []


@pytest.mark.parametrize("who", ["", "bob@acme.example"])
def test_no_page_that_anybody_finds_has_any(secrets: dict[str, str], stack: Stack, who: str) -> None:
    console = Console(stack, who)
    seen, ahead, hits = set[str](), ["/"], {}
    if not who:
        ahead += [
            f"/deployments/{NAME}/",
            f"/deployments/{NAME}/yaml/",
            f"/deployments/{NAME}/edit/",
            f"/deployments/{NAME}/logs/",
            "/models/opt-125m/edit/",
            "/clusters/nowhere/edit/",
            "/endpoints/secretive/edit/",
            "/audit/export.csv",
            "/audit/export.json",
            "/api/v1/openapi.json",
            "/admin/",
            *(
                f"/api/v1/{name}"
                for name in ("models", "clusters", "endpoints", "deployments", "access-keys", "api-keys")
            ),
            f"/api/v1/deployments/{NAME}",
            f"/api/v1/deployments/{NAME}/revisions/1",
        ]
    while ahead and len(seen) < MOST_PAGES:
        path = ahead.pop(0)
        if path in seen or LEFT_OUT.search(path):
            continue
        seen.add(path)
        answer = console.get(path)
        assert answer.status_code == 200 or path.startswith("/audit/export"), (path, answer.status_code)
        if names := found(secrets, answer.text):
            hits[path] = names
        for link in LINK.findall(answer.text):
            target = urljoin(path, link.replace("&amp;", "&"))
            # One page of each kind of search and period.
            if urlsplit(target).path not in {urlsplit(each).path for each in (*seen, *ahead)}:
                ahead.append(target)
    assert hits == {}
    assert len(seen) > (60 if not who else 8)

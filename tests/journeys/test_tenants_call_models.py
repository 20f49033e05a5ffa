"""A tenant calls models with OpenAI's official client: engines of the sandbox, gateway and ledger of `make up`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
import yaml

from tests.journeys.conftest import Stack
from tests.tenant import Tenant, Used, total

pytestmark = pytest.mark.xdist_group("journeys")  # one stack for all of them
CHAT, EMBEDDER, LIMITED, FOREIGN = "llama-8b-chat", "embedder", "limited", "foreign"
PATIENCE = 120.0


def document(name: str, model: str, sharing: dict[str, Any], **parts: Any) -> str:
    engine = {"kind": "vllm", "tag": "v0.33.0", "volume": "20Gi"}
    spec = {"model": model, "endpoint": "main", "engine": engine, "sharing": sharing, **parts}
    return yaml.safe_dump(
        {
            "apiVersion": "slipway/v1",
            "kind": "ModelDeployment",
            "metadata": {"name": name},
            "spec": spec,
        }
    )


def apply(stack: Stack, text: str) -> None:
    done = stack.manage("apply", "-", "--wait", given=text)
    assert done.returncode == 0, done.stderr


def mint(stack: Stack, email: str) -> str:
    done = stack.manage("mint_key", email, "--name", "journey", "--expires", "1h")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def bob(stack: Stack) -> Iterator[Tenant]:
    """With a key, and the seed's chat model ready to serve."""
    with Tenant(stack.gateway, mint(stack, "bob@acme.example"), CHAT) as tenant:
        deadline = time.monotonic() + PATIENCE
        while (answer := ask(stack, tenant.key, CHAT)).status_code == 503 and time.monotonic() < deadline:
            time.sleep(0.5)
        assert answer.status_code == 200, answer.text
        yield tenant


@pytest.fixture(scope="module", autouse=True)
def used_up(stack: Stack, bob: Tenant) -> Iterator[Tenant]:
    """A model of which the key may ask once a minute, and has: before the other tests, so that its minute passes."""
    sharing = {"mode": "selected", "organizations": ["acme"]}
    apply(stack, document(LIMITED, "opt-125m", sharing, rateLimits={"apiKey": {"requestsPerMinute": 1}}))
    with Tenant(bob.address, bob.key, LIMITED) as tenant:
        assert tenant.chat(max_tokens=1)
        yield tenant


def recorded(stack: Stack, name: str) -> tuple[int, Used]:
    """Requests and tokens that the ledger has of a deployment."""
    code = (
        "from django.db.models import Count, Sum; from metering.models import UsageEvent; import json; "
        f"print(json.dumps(UsageEvent.objects.filter(deployment='{name}').aggregate(count=Count('id'), "
        "input=Sum('input_tokens'), output=Sum('output_tokens'), cached=Sum('cached_tokens'))))"
    )
    done = stack.manage("shell", "--no-imports", "-c", code)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    return found["count"], Used(*(found[each] or 0 for each in ("input", "output", "cached")))


def ask(stack: Stack, key: str, model: str) -> httpx.Response:
    return httpx.post(
        f"{stack.gateway}/v1/chat/completions",
        headers={"Authorization": f"Bearer {key}"},
        json={"model": model, "messages": [{"role": "user", "content": "Hello"}]},
    )


def test_usual_work_is_in_the_ledger_as_the_client_was_told(stack: Stack, bob: Tenant) -> None:
    apply(stack, document("metered", "opt-125m", {"mode": "selected", "organizations": ["acme"]}))
    with Tenant(bob.address, bob.key, "metered") as tenant:
        assert tenant.chat(max_tokens=8)
        assert tenant.complete(max_tokens=8)
        assert tenant.stream(usage=True, max_tokens=8).reports == 1
        assert total(tenant.told).output == 24
        deadline = time.monotonic() + 15
        while (found := recorded(stack, "metered"))[0] < 3:
            assert time.monotonic() < deadline, found
        assert found == (3, total(tenant.told))
        assert tenant.stream(max_tokens=8).reports == 0
    checked = stack.manage("check_ledger")
    assert checked.returncode == 0, checked.stdout


def test_just_what_is_shared_is_listed_and_the_rest_is_not_there(stack: Stack, bob: Tenant) -> None:
    apply(stack, document(FOREIGN, "opt-125m", {"mode": "selected", "organizations": ["globex"]}))
    assert CHAT in bob.models()
    assert FOREIGN not in bob.models()
    with Tenant(stack.gateway, mint(stack, "charlie@globex.example"), FOREIGN) as charlie:
        assert charlie.models() == [FOREIGN]
        assert charlie.chat(max_tokens=2)
    foreign, missing = ask(stack, bob.key, FOREIGN), ask(stack, bob.key, "missing")
    assert foreign.status_code == missing.status_code == 404
    assert foreign.text.replace(FOREIGN, "missing") == missing.text
    with Tenant(bob.address, bob.key, FOREIGN) as stranger, pytest.raises(openai.NotFoundError):
        stranger.chat()


def test_a_chat_model_talks_whole_and_in_a_stream(bob: Tenant) -> None:
    assert bob.chat(max_tokens=4)
    streamed = bob.stream(usage=True, max_tokens=4)
    assert (streamed.used and streamed.used.output, streamed.finish) == (4, "length")
    with pytest.raises(openai.BadRequestError, match="max_tokens"):
        bob.chat(max_tokens=-1)


def test_an_embedding_model_embeds_and_does_not_talk(stack: Stack, bob: Tenant) -> None:
    sharing = {"mode": "selected", "organizations": ["acme"]}
    apply(stack, document(EMBEDDER, "qwen3-embedding-0-6b", sharing))
    with Tenant(bob.address, bob.key, EMBEDDER) as tenant:
        vectors = tenant.embed(["a ship", "the sea"])
        assert len(vectors) == 2
        assert len(vectors[0]) == len(vectors[1]) > 1
        assert tenant.told[0].input > 0
        with pytest.raises(openai.BadRequestError):
            tenant.chat()


def test_a_key_that_is_none_is_refused(bob: Tenant) -> None:
    for wrong in (bob.key[:-1] + ("a" if bob.key[-1] != "a" else "b"), "sk-something"):
        with (
            Tenant(bob.address, wrong, CHAT) as stranger,
            pytest.raises(openai.AuthenticationError) as refused,
        ):
            stranger.models()
        assert refused.value.code == "invalid_api_key"


def test_a_limit_says_when_to_come_again_and_then_it_works(used_up: Tenant) -> None:
    """The wait that a 429 tells is the right one: just after it the same request succeeds."""
    with pytest.raises(openai.RateLimitError) as refused:
        used_up.chat(max_tokens=1)
    wait = int(refused.value.response.headers["retry-after-ms"]) / 1000
    assert 0 < wait <= 60.1  # a window, and the tenth of a second by which it moves
    assert refused.value.code == "rate_limit_exceeded"
    assert "Limit 1, used 1" in refused.value.message
    time.sleep(wait)
    assert used_up.chat(max_tokens=1)

"""The playground's addresses: what may be asked is bounded, answers stream, and it works without a script as well."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from deployments.spec import Pricing
from deployments.vocabulary import Sharing, UseCase
from metering.models import ApiKey
from tests import loops
from tests.deployments.pages import world
from tests.metering.gateway.engine import Engine, Script, running
from tests.metering.keys.people import KEY

pytestmark = pytest.mark.django_db
PAGE, ANSWER = "/portal/playground/", "/portal/playground/answer/"


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    """In the place of the gateway, whose shapes it speaks."""
    with running(Script(tokens=3)) as made:
        settings.GATEWAY_INTERNAL_URL = made.url
        yield made


@pytest.fixture
def bea(engine: Engine) -> Client:
    price = Pricing("USD", Decimal("0.15"), Decimal("0.60"))
    for name in ("chat", "other"):
        world.deployment(name, sharing=world.shared(Sharing.ALL), pricing=price)
    world.deployment("private")
    return world.signed_in(world.tenant("bea@acme.example", "acme"))


def form(**changes: Any) -> dict[str, Any]:
    return {"model": "chat", "temperature": "0.7", "max_tokens": "64", "message": "Hello there", **changes}


def streamed(client: Client, **changes: Any) -> list[dict[str, Any]]:
    answer: Any = client.post(ANSWER, form(**changes))
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/x-ndjson"

    async def lines(content: AsyncIterator[bytes]) -> list[dict[str, Any]]:
        return [json.loads(line) async for line in content]

    return loops.run(lines(answer.streaming_content))


def test_an_answer_comes_as_lines(bea: Client) -> None:
    *pieces, end = streamed(bea)
    assert [piece["text"] for piece in pieces] == [" w0", " w1", " w2"]
    assert end["cost"] == "$0.0000021"


def test_the_model_is_asked_what_the_page_says(bea: Client, engine: Engine) -> None:
    said = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}]
    streamed(bea, system="Be brief.", history=json.dumps(said), temperature="1.5", max_tokens="2")
    (seen,) = engine.seen
    assert seen.body["messages"] == [
        {"role": "system", "content": "Be brief."},
        *said,
        {"role": "user", "content": "Hello there"},
    ]
    assert (seen.body["temperature"], seen.body["max_tokens"], seen.body["model"]) == (1.5, 2, "chat")
    assert ApiKey.objects.get().kind == ApiKey.Kind.PLAYGROUND
    assert KEY.search(seen.headers["authorization"])


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"model": "private"}, "Model"),
        ({"model": "nothing"}, "Model"),
        ({"message": ""}, "Message"),
        ({"message": "x" * 32_001}, "Message"),
        ({"system": "x" * 32_001}, "System prompt"),
        ({"temperature": "2.1"}, "Temperature"),
        ({"temperature": "nan"}, "Temperature"),
        ({"max_tokens": "0"}, "Longest answer"),
        ({"max_tokens": "8193"}, "Longest answer"),
        ({"history": "{}"}, "History"),
        ({"history": "["}, "History"),
        ({"history": "[" * 100_000}, "History"),
        ({"history": '[{"role": "system", "content": "x"}]'}, "History"),
        ({"history": '[{"role": "user", "content": [1]}]'}, "History"),
        ({"history": json.dumps([{"role": "user", "content": "x"}] * 60)}, "Begin a new one"),
        ({"history": json.dumps([{"role": "user", "content": "x" * 50_000}] * 2)}, "Begin a new one"),
    ],
)
def test_what_is_not_allowed_is_refused_in_words(
    bea: Client, engine: Engine, changes: dict[str, str], word: str
) -> None:
    answer = bea.post(ANSWER, form(**changes))
    assert answer.status_code == 422
    assert word in answer.json()["sentence"]
    assert bea.post(PAGE, form(**changes)).status_code == 422
    assert engine.seen == []


def test_without_a_script_whole_answers_are_shown_side_by_side(bea: Client, engine: Engine) -> None:
    page = bea.post(PAGE, form(other="other", message="Hello <b>there</b>")).content.decode()
    assert page.count("w0 w1 w2") == 2
    assert page.count("$0.0000021") == 2
    assert "Hello &lt;b&gt;there&lt;/b&gt;" in page
    assert {seen.body["model"] for seen in engine.seen} == {"chat", "other"}


def test_a_refusal_of_the_gateway_is_shown(bea: Client, engine: Engine) -> None:
    engine.script = Script(error=(429, b'{"error": {"message": "Rate limit of chat reached for you."}}'))
    assert "Rate limit of chat reached for you." in bea.post(PAGE, form()).content.decode()


def test_the_key_is_in_no_page_and_no_answer(bea: Client, engine: Engine) -> None:
    for answer in (
        bea.post(PAGE, form()),
        bea.get(PAGE),
        bea.get("/portal/usage/"),
        bea.get("/portal/keys/"),
    ):
        assert not KEY.search(answer.content.decode())
    assert not KEY.search(json.dumps(streamed(bea)))


def test_only_chat_models_can_be_talked_to(bea: Client) -> None:
    model = world.model()
    model.use_case = UseCase.EMBEDDING
    model.save()
    assert "No model to talk to" in bea.get(PAGE).content.decode()
    assert bea.post(ANSWER, form()).status_code == 422

"""What an engine says of itself, and the two other kinds of engines."""

import base64
import struct
from dataclasses import replace

import httpx
import openai
import pytest

from deployments.sandbox.engines.weights import EMBED, RERANK
from tests.deployments.sandbox_engines.conftest import QUICK
from tests.deployments.sandbox_engines.running import running


def test_the_small_routes_answer(http: httpx.Client) -> None:
    health = http.get("/health")
    assert (health.status_code, health.content) == (200, b"")
    assert http.get("/ping").status_code == http.post("/ping").status_code == 200
    assert http.get("/version").json() == {"version": "0.32.0"}
    assert http.get("/load").json() == {"server_load": 0}
    assert health.headers["server"] == "uvicorn"
    assert health.headers["vary"] == "Origin"


def test_models_tell_root_and_context(http: httpx.Client) -> None:
    entry = http.get("/v1/models").json()["data"][0]
    assert list(entry) == [
        "id",
        "object",
        "created",
        "owned_by",
        "root",
        "parent",
        "max_model_len",
        "permission",
    ]
    assert (entry["id"], entry["root"], entry["max_model_len"]) == ("demo", "facebook/opt-125m", 512)


def test_tokenize_counts_what_a_chat_is_charged(http: httpx.Client) -> None:
    messages = [{"role": "user", "content": "How many tokens is this?"}]
    count = http.post("/tokenize", json={"messages": messages}).json()["count"]
    answer = http.post("/v1/chat/completions", json={"messages": messages, "max_tokens": 1}).json()
    assert answer["usage"]["prompt_tokens"] == count
    assert http.post("/tokenize", json={"prompt": "one two"}).json()["count"] == 2
    assert http.post("/tokenize", json={}).status_code == 400


def test_request_ids_are_returned_when_asked_for() -> None:
    with (
        running(replace(QUICK, request_id_headers=True)) as handle,
        httpx.Client(base_url=handle.url) as client,
    ):
        assert client.get("/version", headers={"x-request-id": "mine"}).headers["x-request-id"] == "mine"
        assert client.get("/v1/nothing").headers["x-request-id"]


def test_usage_can_be_forced_and_detailed() -> None:
    config = replace(QUICK, force_usage=True, prompt_token_details=True)
    body = {"messages": [{"role": "user", "content": "Hi " * 40}], "max_tokens": 2, "stream": True}
    with running(config) as handle, httpx.Client(base_url=handle.url) as client:
        client.post("/v1/chat/completions", json=body)
        text = client.post("/v1/chat/completions", json=body).text
    assert '"completion_tokens":2,"prompt_tokens_details":{"audio_tokens":null,"cached_tokens":32}' in text


def test_an_embedding_engine_embeds_and_does_not_chat() -> None:
    with running(replace(QUICK, task=EMBED, hidden_size=32)) as handle:
        client = openai.OpenAI(base_url=f"{handle.url}/v1", api_key="unused", max_retries=0)
        answer = client.embeddings.create(model="demo", input=["one", "two"], encoding_format="float")
        vectors = [each.embedding for each in answer.data]
        assert [len(vector) for vector in vectors] == [32, 32]
        assert vectors[0] != vectors[1]
        assert sum(value * value for value in vectors[0]) == pytest.approx(1)
        assert answer.usage.prompt_tokens == answer.usage.total_tokens == 2
        body = {"input": "one", "encoding_format": "base64"}
        coded = httpx.post(f"{handle.url}/v1/embeddings", json=body).json()["data"][0]["embedding"]
        assert struct.unpack("<32f", base64.b64decode(coded)) == pytest.approx(vectors[0], abs=1e-6)
        assert httpx.post(f"{handle.url}/v1/chat/completions", json={}).status_code == 404
        for wrong in ({}, {"input": 7}, {"input": []}, {"input": "x", "dimensions": 99}):
            assert httpx.post(f"{handle.url}/v1/embeddings", json=wrong).status_code == 400


def test_a_reranker_puts_the_best_document_first() -> None:
    with running(replace(QUICK, task=RERANK)) as handle:
        body = {"query": "night train", "documents": ["a map", "the night train leaves"], "top_n": 1}
        answer = httpx.post(f"{handle.url}/v1/rerank", json=body).json()
        assert [result["index"] for result in answer["results"]] == [1]
        assert httpx.post(f"{handle.url}/v1/rerank", json={"query": "x"}).status_code == 400

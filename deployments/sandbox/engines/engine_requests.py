"""Requests to an engine: read, checked in vLLM's order, refused in vLLM's words and shapes.

A refusal is an exception with a status and a body, so that the same ones answer streamed and plain requests.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from deployments.sandbox.engines.engine_config import EngineConfig
from deployments.sandbox.engines.engine_core import Job
from deployments.sandbox.engines.engine_text import fingerprint, tokenize

BODY_LIMIT = 32 * 1024**2
_CHOICE_LIMIT = 64
_ROLE_TOKENS, _TEMPLATE_TOKENS = 4, 3


class Refusal(Exception):
    """An answer other than 200: the HTTP status and the JSON body."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


@dataclass(frozen=True, slots=True)
class TextRequest:
    """A checked request for text, chat or completion."""

    model: str
    job: Job
    stream: bool
    include_usage: bool
    continuous_usage: bool


def refusal(status: int, message: str, type_: str, param: str | None = None) -> Refusal:
    """The usual error body."""
    return Refusal(status, {"error": {"message": message, "type": type_, "param": param, "code": status}})


def bad(message: str, param: str | None = None, value: object = None) -> Refusal:
    """400 by the engine's own checks; parameter and value are repeated at the end of the sentence."""
    if param is not None:
        shown = f"parameter={param}" if value is None else f"parameter={param}, value={value}"
        message = f"{message} ({shown})"
    return refusal(400, message, "BadRequestError", param)


def invalid(kind: str, where: str, what: str, given: str) -> Refusal:
    """400 by the schema's checks."""
    detail = {"type": kind, "loc": where, "msg": what, "input": given}
    return refusal(400, f"1 validation error:\n  {detail}", "Bad Request", where)


def read_body(content_type: str, raw: bytes) -> dict[str, Any]:
    """The JSON object of a request. Raises Refusal."""
    if content_type.split(";", 1)[0].strip().lower() != "application/json":
        message = "1 validation error:\n  Unsupported Media Type: Only 'application/json' is allowed"
        raise refusal(400, message, "Bad Request")
    try:
        body = json.loads(raw)
    except ValueError as error:
        position = getattr(error, "pos", 0)
        raise invalid("json_invalid", f"body.{position}", "JSON decode error", "<dict of 0 items>") from None
    if not isinstance(body, dict):
        raise invalid("model_attributes_type", "body", "Input should be a valid dictionary", _shown(body))
    return body


def chat_request(body: dict[str, Any], config: EngineConfig) -> TextRequest:
    """Check a chat request. Raises Refusal."""
    if "messages" not in body:
        raise invalid("missing", "body.messages", "Field required", _shown(body))
    messages = body["messages"]
    if not isinstance(messages, list):
        raise invalid("list_type", "body.messages", "Input should be a valid list", _shown(messages))
    texts = []
    for number, message in enumerate(messages):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            where = f"body.messages.{number}"
            raise invalid("missing", f"{where}.role", "Field required", _shown(message))
        texts.append((message["role"], _content(message.get("content"), f"body.messages.{number}.content")))
    check_model(body, config)
    if body.get("tools") and body.get("tool_choice", "auto") == "auto" and not config.tool_choice:
        raise bad('"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set')
    if not messages:
        raise bad("Cannot apply chat template to an empty conversation. Provide at least one message.")
    prompt: list[int] = []
    for role, text in texts:
        prompt += tokenize(f"<{role}>")[:_ROLE_TOKENS] + tokenize(text)
    prompt += tokenize("<assistant>")[:_TEMPLATE_TOKENS]
    seed = fingerprint("\n".join(f"{role}:{text}" for role, text in texts))
    return _text_request(
        body, config, prompt, seed, body.get("max_completion_tokens", body.get("max_tokens"))
    )


def completion_request(body: dict[str, Any], config: EngineConfig) -> TextRequest:
    """Check a completion request. Raises Refusal."""
    if "prompt" not in body:
        raise invalid("missing", "body.prompt", "Field required", _shown(body))
    prompts = texts_of(body["prompt"], "body.prompt")
    check_model(body, config)
    if len(prompts) != 1:
        raise bad("Only one prompt per request is supported by this simulated engine", "prompt")
    tokens = prompts[0]
    limit = body.get("max_tokens", 16)
    return _text_request(body, config, tokens, fingerprint(repr(tokens)), 16 if limit is None else limit)


def texts_of(value: Any, where: str) -> list[list[int]]:
    """Token lists of an `input` or `prompt`: a text, texts, tokens, or lists of tokens."""
    if isinstance(value, str):
        return [tokenize(value)]
    if isinstance(value, list) and value:
        if all(isinstance(each, int) and not isinstance(each, bool) for each in value):
            return [value]
        if all(isinstance(each, str) for each in value):
            return [tokenize(each) for each in value]
        if all(isinstance(each, list) and all(isinstance(token, int) for token in each) for each in value):
            return value
    raise invalid("string_type", where, "Input should be a valid string", _shown(value))


def check_model(body: dict[str, Any], config: EngineConfig) -> None:
    """404 for a name that is not served; no name at all is accepted."""
    model = body.get("model")
    if model is not None and not isinstance(model, str):
        raise invalid("string_type", "body.model", "Input should be a valid string", _shown(model))
    if model and model not in config.names:
        names = ", ".join(config.names)
        message = f"The model `{model}` does not exist. Valid aliases: {names}."
        raise refusal(404, message, "NotFoundError", "model")


def check_length(tokens: int, config: EngineConfig, room: int = 0) -> None:
    """400 for a prompt that leaves no place in the context for `room` more tokens."""
    limit = config.max_model_len
    if tokens + room > limit:
        message = (
            f"This model's maximum context length is {limit} tokens. However, your prompt contains at least {limit + 1}"
            " input tokens, which exceeds this limit even without any output tokens. Please reduce the length"
            " of the input prompt."
        )
        if tokens <= limit:
            message = (
                f"This model's maximum context length is {limit} tokens. However, you requested {room} output tokens"
                f" and your prompt contains {tokens} input tokens. Please reduce one of them."
            )
        raise bad(message, "input_tokens", limit + 1 if tokens > limit else tokens)


def _text_request(
    body: dict[str, Any], config: EngineConfig, prompt: list[int], seed: str, limit: Any
) -> TextRequest:
    stream = _boolean(body, "stream")
    options = body.get("stream_options")
    if options is not None and not isinstance(options, dict):
        raise invalid(
            "model_attributes_type",
            "body.stream_options",
            "Input should be a valid dictionary",
            _shown(options),
        )
    if options and not stream:
        problem = "Stream options can only be defined when `stream=True`."
        raise bad(problem, "stream_options")
    choices = _whole(body, "n", 1)
    if not 1 <= choices <= _CHOICE_LIMIT:
        raise bad(f"n must be at least 1, got {choices}.", "n", choices)
    for name, lowest, highest in (
        ("temperature", 0.0, 2.0),
        ("top_p", 0.0, 1.0),
        ("presence_penalty", -2.0, 2.0),
    ):
        _number(body, name, lowest, highest)
    given = _whole({"max_tokens": limit}, "max_tokens", None)
    if given is not None and given < 1:
        raise bad(f"max_tokens must be at least 1, got {given}.", "max_tokens", given)
    if given is not None and given > config.max_model_len:
        problem = f"max_tokens={given} cannot be greater than max_model_len={config.max_model_len}."
        raise bad(f"{problem} Please request fewer output tokens.", "max_tokens", given)
    check_length(len(prompt), config, given or 1)
    options = options or {}
    job = Job(
        prompt=tuple(prompt),
        seed=f"{seed} {body.get('seed', '')}",
        max_tokens=given or config.max_model_len - len(prompt),
        choices=choices,
        min_tokens=_whole(body, "min_tokens", 0) or 0,
        ignore_eos=_boolean(body, "ignore_eos"),
        stop=_stops(body),
    )
    continuous = stream and bool(options.get("continuous_usage_stats"))
    usage = stream and (bool(options.get("include_usage")) or config.force_usage)
    return TextRequest(body.get("model") or config.name, job, stream, usage, continuous and usage)


def _content(content: Any, where: str) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    if isinstance(content, list) and all(isinstance(part, dict) for part in content):
        return "\n".join(str(part.get("text", "")) for part in content)
    raise invalid("string_type", where, "Input should be a valid string", _shown(content))


def _stops(body: dict[str, Any]) -> tuple[str, ...]:
    stop = body.get("stop")
    stops = [stop] if isinstance(stop, str) else stop or []
    if not isinstance(stops, list) or not all(isinstance(each, str) for each in stops):
        raise invalid("list_type", "body.stop", "Input should be a valid list", _shown(stop))
    return tuple(each for each in stops if each)


def _boolean(body: dict[str, Any], name: str) -> bool:
    value = body.get(name)
    if value is not None and not isinstance(value, bool):
        raise invalid("bool_parsing", f"body.{name}", "Input should be a valid boolean", _shown(value))
    return bool(value)


def _whole(body: dict[str, Any], name: str, default: Any) -> Any:
    """A whole number, or the default for null and nothing."""
    value = body.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int):
        raise invalid("int_type", f"body.{name}", "Input should be a valid integer", _shown(value))
    return value


def _number(body: dict[str, Any], name: str, lowest: float, highest: float) -> None:
    value = body.get(name)
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise invalid("float_type", f"body.{name}", "Input should be a valid number", _shown(value))
    if not lowest <= value <= highest:
        raise bad(f"{name} must be in [{lowest}, {highest}], got {value}.", name, value)


def _shown(value: Any) -> str:
    """How an error shows what was given, without repeating all of it."""
    if isinstance(value, dict):
        return f"<dict of {len(value)} items>"
    if isinstance(value, list):
        return f"<list of {len(value)} items>"
    return str(value)[:100]

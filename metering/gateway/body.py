"""What a request asks for, how many tokens it may use at most, and how it is told to the engine. Pure.

The body is read as one JSON object whose members stay the bytes that they were: numbers of any size and precision reach
the engine as the client wrote them. It is put together anew, so that a member that stands there twice means the same to
the gateway and to every engine (the last one counts).
"""

from __future__ import annotations

from typing import Any

import msgspec

from metering.gateway.errors import bad_request

Members = dict[str, msgspec.Raw]

CHAT, COMPLETIONS, EMBEDDINGS = "/v1/chat/completions", "/v1/completions", "/v1/embeddings"

#: Tokens that a chat template may add by itself, for each message, and when tools are described to the model.
_TEMPLATE, _PER_MESSAGE, _TOOLS = 64, 16, 512
#: Parts of a message whose tokens have nothing to do with the bytes of the request.
_MEDIA = (b'"image_url"', b'"input_audio"', b'"video_url"', b'"audio_url"', b'"input_image"', b'"image"')
#: The most choices that an answer may have; more is no use of a chat.
_MOST_CHOICES = 128

_decoder = msgspec.json.Decoder(Members)
_encode = msgspec.json.encode
_KINDS: dict[Any, tuple[msgspec.json.Decoder[Any], str]] = {
    str: (msgspec.json.Decoder(str | None), "a text"),
    bool: (msgspec.json.Decoder(bool | None), "true or false"),
    int: (msgspec.json.Decoder(int | None), "a whole number"),
    dict: (msgspec.json.Decoder(dict[str, Any] | None), "an object"),
    Members: (msgspec.json.Decoder(Members | None), "an object"),
}


class Asked(msgspec.Struct):
    """A request as the gateway understands it."""

    members: Members
    model: str
    stream: bool
    include_usage: bool
    """The client asked for the usage event at the end of the stream."""
    continuous_usage: bool
    """The client asked for usage in every event."""
    max_output: int | None
    """For each choice, as the client said."""
    prompts: int
    choices: int
    """Answers in all: choices times prompts."""
    prompt_bound: int
    """The prompt has at most so many tokens: a token is at least one byte. 0: bound by the context alone."""
    size: int


def read(path: str, body: bytes) -> Asked:
    """Raises Refusal for what no engine could answer."""
    try:
        members = _decoder.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise bad_request(f"The body is not a JSON object: {_short(error)}.") from None
    model = _member(members, "model", str, None)
    if not model:
        raise bad_request("Say which model is meant.", "model")
    stream = path != EMBEDDINGS and bool(_member(members, "stream", bool, False))
    options: dict[str, Any] = _member(members, "stream_options", dict, None) or {}
    if options and not stream:
        raise bad_request("stream_options only go with stream: true.", "stream_options")
    prompts = 1 if path == CHAT else _prompts(members.get("prompt" if path == COMPLETIONS else "input"))
    return Asked(
        members=members,
        model=model,
        stream=stream,
        include_usage=bool(options.get("include_usage")),
        continuous_usage=bool(options.get("continuous_usage_stats")),
        max_output=0 if path == EMBEDDINGS else _max_output(members),
        prompts=prompts,
        choices=_choices(members) * prompts,
        prompt_bound=_prompt_bound(members, body),
        size=len(body),
    )


def for_engine(asked: Asked, *, continuous: bool, cap: int | None) -> bytes:
    """The body as the engine gets it: usage reporting forced on for streams, and the most tokens of an answer where a
    limit says so (`cap`). All engines serve under the deployment's name.
    """
    members = asked.members
    if asked.stream:
        options: Members = _member(members, "stream_options", Members, None) or {}
        options["include_usage"] = msgspec.Raw(b"true")
        if continuous:
            options["continuous_usage_stats"] = msgspec.Raw(b"true")
        members["stream_options"] = msgspec.Raw(_encode(options))
    if cap is not None:
        members["max_tokens"] = msgspec.Raw(b"%d" % cap)
        members.pop("max_completion_tokens", None)
    return _encode(members)


def prompt_about(asked: Asked) -> int:
    """A fair guess of the prompt's tokens for a request that no engine counted: four bytes a token, at least one."""
    return max(1, asked.size // 4)


def _prompt_bound(members: Members, body: bytes) -> int:
    if any(kind in body for kind in _MEDIA):
        return 0
    messages = members.get("messages")
    extra = _TEMPLATE + _PER_MESSAGE * (bytes(messages).count(b'"role"') if messages is not None else 1)
    if "tools" in members or "functions" in members:
        extra += _TOOLS + sum(len(bytes(members[name])) for name in ("tools", "functions") if name in members)
    return len(body) + extra


def _prompts(prompt: msgspec.Raw | None) -> int:
    """How many prompts there are: a list of texts, or of lists of tokens, is one for each."""
    if prompt is None or not bytes(prompt).lstrip().startswith(b"["):
        return 1
    found = msgspec.json.decode(prompt, type=list[msgspec.Raw])
    first = bytes(found[0]).lstrip()[:1] if found else b""
    return max(1, len(found)) if first in (b'"', b"[") else 1


def _choices(members: Members) -> int:
    counts = {name: _member(members, name, int, 1) for name in ("n", "best_of")}
    for name, count in counts.items():
        if not 1 <= count <= _MOST_CHOICES:
            raise bad_request(f"{name} is {count}. It can be 1 to {_MOST_CHOICES}.", name)
    return max(counts.values())


def _max_output(members: Members) -> int | None:
    for name in ("max_completion_tokens", "max_tokens"):
        value = _member(members, name, int, None)
        if value is not None:
            if not 1 <= value <= 2**31:
                raise bad_request(f"{name} is {value}. It must be at least 1.", name)
            return value
    return None


def _member(members: Members, name: str, kind: Any, default: Any) -> Any:
    """A member of the given type; null and nothing are the default. Raises Refusal for another type."""
    raw = members.get(name)
    if raw is None:
        return default
    decoder, words = _KINDS[kind]
    try:
        found = decoder.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise bad_request(f"{name} must be {words}.", name) from None
    return default if found is None else found


def _short(error: Exception) -> str:
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error).rstrip(".")[:200]

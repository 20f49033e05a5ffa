"""What comes in and goes out: content types, sizes, JSON and YAML."""

from __future__ import annotations

from typing import Any

import msgspec
import yaml
from starlette.requests import Request
from starlette.responses import Response

from deployments.sandbox.api import protobuf
from deployments.sandbox.api.errors import ApiError

LARGEST_BODY = 3 * 1024 * 1024
JSON_TYPE = "application/json"
APPLY_TYPES = ("application/apply-patch+yaml", "application/apply-patch+json")
JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
)
_YAML_TYPES = ("application/yaml", APPLY_TYPES[0])


class _Yaml(yaml.SafeLoader):
    """YAML as JSON would say it: times stay text."""


_Yaml.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def content_type(request: Request) -> str:
    """The media type of the body, without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def read_bytes(request: Request) -> bytes:
    """The body. Raises ApiError 413 for more than 3 MiB."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > LARGEST_BODY:
            raise ApiError(413, f"Request entity too large: limit is {LARGEST_BODY}")
        parts.append(part)
    return b"".join(parts)


def parse(
    content: bytes, media_type: str, allowed: tuple[str, ...] = (JSON_TYPE, "application/yaml", "")
) -> Any:
    """A body as Python values. Raises ApiError 415 for another media type and 400 for what cannot be read."""
    if media_type == protobuf.MEDIA_TYPE:
        return protobuf.parse(content)
    if media_type not in allowed:
        raise ApiError(
            415,
            "the body of the request was in an unknown format - accepted media types include: "
            + ", ".join(name for name in allowed if name),
        )
    try:
        return msgspec.json.decode(content)
    except msgspec.DecodeError as problem:
        if media_type not in _YAML_TYPES:
            raise ApiError(400, f"couldn't get version/kind; json parse error: {problem}") from problem
    try:
        # The loader above is a SafeLoader.
        return yaml.load(content, Loader=_Yaml)  # noqa: S506
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as problem:
        raise ApiError(400, f"error converting YAML to JSON: {str(problem)[:300]}") from problem


def wanted_form(request: Request) -> str:
    """How the client wants objects: `Table`, `PartialObjectMetadata(List)` or "" (as they are).

    Raises ApiError 406 for a client that takes no JSON.
    """
    header = request.headers.get("accept", "") or "*/*"
    for entry in header.split(","):
        media, *parameters = [part.strip() for part in entry.split(";")]
        if media not in (JSON_TYPE, "*/*", "application/*", "text/plain", "application/yaml"):
            continue
        values = dict(part.partition("=")[::2] for part in parameters)
        form = values.get("as", "")
        if (
            form in ("", "Table", "PartialObjectMetadata", "PartialObjectMetadataList")
            and values.get("v", "v1") == "v1"
        ):
            return form
    raise ApiError(406, "only the following media types are accepted: application/json")


def check_form(form: str, *, single: bool) -> None:
    """Raises ApiError 406 for the metadata of one object where a list is read, and the other way round."""
    if single and form == "PartialObjectMetadataList":
        raise ApiError(406, f"you requested {form}, but the requested object is not a list")
    if not single and form == "PartialObjectMetadata":
        raise ApiError(406, f"you requested {form}, but the requested object is a list")


def reply(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(msgspec.json.encode(body), status, headers=headers, media_type=JSON_TYPE)


def refuse(problem: ApiError) -> Response:
    """The `Status` answer of a refusal."""
    headers = {"Retry-After": str(problem.retry_after)} if problem.retry_after is not None else None
    return reply(problem.body(), problem.status, headers)

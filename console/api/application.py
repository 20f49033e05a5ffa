"""The API as one application: its operations, its errors, and its OpenAPI document, for whoever may call it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from ninja import NinjaAPI

from console import problem_document
from console.access import Permission
from console.api import (
    access_keys,
    api_keys,
    care,
    clusters,
    costs,
    deployments,
    models,
    organizations,
    problems,
    terms,
    usage,
)
from console.api.authentication import authenticate, needs
from console.api.idempotency import ONCE
from console.api.problems import Problem
from console.api.reading import BodyParser

api = NinjaAPI(
    title="Slipway",
    version="1",
    description="Everything that the console does, for programs. See docs/api.md.",
    auth=needs(Permission.VIEW),
    docs_url=None,
    openapi_url=None,
    urls_namespace="api",
    parser=BodyParser(),
)
problems.handle(api)
for router in (
    models.router,
    clusters.router,
    deployments.router,
    care.router,
    terms.router,
    organizations.router,
    costs.router,
    api_keys.router,
    usage.router,
    access_keys.router,
):
    api.add_router("", router)


@csrf_exempt
def missing(request: HttpRequest) -> HttpResponse:
    """Whatever else is asked of the API."""
    return problems.answer(problems.not_found())


@require_safe
def document(request: HttpRequest) -> HttpResponse:
    """The OpenAPI document."""
    try:
        principal = authenticate(request)
    except Problem as problem:
        return problems.answer(problem)
    if principal is None:
        return problems.answer(problems.unauthenticated())
    return JsonResponse(described())


def described() -> dict[str, Any]:
    """With what every operation may answer beside success, and how one says who one is."""
    schema: dict[str, Any] = api.get_openapi_schema(path_prefix="/api/v1/")
    parts = schema.setdefault("components", {})
    parts.setdefault("schemas", {})["Problem"] = _PROBLEM
    parts["securitySchemes"] = {"accessKey": {"type": "http", "scheme": "bearer"}}
    schema["security"] = [{"accessKey": []}]
    for operations in schema["paths"].values():
        for operation in operations.values():
            operation.pop("security", None)
            if operation["operationId"] in ONCE:
                operation["parameters"].append(
                    _header("Idempotency-Key", "The call is made once, however often.")
                )
            for status in ("400", "401", "403", "404", "409", "412", "413", "422", "429", "503"):
                operation["responses"].setdefault(status, {"$ref": "#/components/responses/Problem"})
    content = {problem_document.CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    parts["responses"] = {"Problem": {"description": "What is wrong", "content": content}}
    return schema


def _header(name: str, words: str) -> dict[str, Any]:
    schema = {"type": "string", "maxLength": 255}
    return {"in": "header", "name": name, "required": False, "schema": schema, "description": words}


_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string", "description": "A stable word for programs"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["path", "message"],
                "properties": {"path": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}

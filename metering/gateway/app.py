"""The gateway as an ASGI application.

A request gets in with an API key and in no other way. This version of the product has no API keys yet, so every
key is an unknown one: the addresses of the OpenAI API answer 401 in OpenAI's shape, and nothing reaches an engine.
"""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from metering.gateway.errors import refusal


async def alive(request: Request) -> Response:
    return JSONResponse({"status": "alive"})


async def unknown_key(request: Request) -> Response:
    """The answer to a request whose key we do not know, or that has none."""
    if not request.headers.get("authorization", "").lower().startswith("bearer "):
        message = "No API key was sent. Send it as a header: Authorization: Bearer YOUR_KEY."
    else:
        message = "This API key is not known here."
    return refusal(401, message, code="invalid_api_key")


async def unknown_address(request: Request, error: Exception) -> Response:
    return refusal(404, f"There is nothing at {request.method} {request.url.path[:200]}.", code="unknown_url")


async def unknown_method(request: Request, error: Exception) -> Response:
    answer = refusal(405, f"{request.method} is not allowed here.", code="method_not_allowed")
    # HTTP wants the methods that are allowed; the router put them into its exception.
    answer.headers.update(getattr(error, "headers", None) or {})
    return answer


app = Starlette(
    routes=[
        Route("/healthz", alive),
        Route("/v1/models", unknown_key, methods=["GET"]),
        Route("/v1/chat/completions", unknown_key, methods=["POST"]),
        Route("/v1/completions", unknown_key, methods=["POST"]),
        Route("/v1/embeddings", unknown_key, methods=["POST"]),
    ],
    exception_handlers={404: unknown_address, 405: unknown_method},
)

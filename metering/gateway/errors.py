"""Refusals in OpenAI's shape, so that its official clients raise their usual exceptions."""

from starlette.responses import JSONResponse


def refusal(
    status: int, message: str, *, kind: str = "invalid_request_error", code: str | None = None
) -> JSONResponse:
    """{"error": {"message", "type", "param", "code"}} with the status."""
    error = {"message": message, "type": kind, "param": None, "code": code}
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return JSONResponse({"error": error}, status_code=status, headers=headers)

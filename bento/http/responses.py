"""Answers in JSON."""

import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response


def json_response(
    request: Request, value: dict[str, Any], status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A value as the answer to a request, with the id that finds it in the logs."""
    content = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    told = {**(headers or {}), "x-request-id": request.state.request_id}
    return Response(content, status, told, media_type="application/json")

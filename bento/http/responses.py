"""JSON responses."""

import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from bento.http.request_info import request_info


def json_response(
    request: Request, value: dict[str, Any], status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A JSON response with the request id in the header X-Request-ID."""
    content = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    all_headers = {**(headers or {}), "x-request-id": request_info(request.scope).request_id}
    return Response(content, status, all_headers, media_type="application/json")

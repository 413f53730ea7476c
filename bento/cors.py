"""Middleware for pages of other origins (CORS): preflight requests, and headers that let a page read a response."""

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from bento.http.problems import HttpError
from bento.http.request_info import request_info

REQUEST_HEADERS = ("X-API-Key", "Content-Type", "Content-Encoding", "Traceparent")
RESPONSE_HEADERS = ("X-Request-ID", "Location", "Retry-After", "RateLimit-Limit", "RateLimit-Remaining")


class CorsMiddleware(CORSMiddleware):
    """Starlette's middleware, with a refused preflight request as a problem.

    Args:
        app: the next application.
        origins: whose pages may call the service.
        methods: that they may use.
    """

    def __init__(self, app: ASGIApp, origins: Sequence[str], methods: Sequence[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=methods,
            allow_headers=REQUEST_HEADERS,
            expose_headers=RESPONSE_HEADERS,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a preflight request, or pass the request on and add the headers to its response."""
        headers = Headers(scope=scope)
        if scope["method"] != "OPTIONS" or not {"origin", "access-control-request-method"} <= set(headers):
            await super().__call__(scope, receive, send)
            return
        info, response = request_info(scope), self.preflight_response(headers)
        if response.status_code != 200:
            kept = {name: value for name, value in response.headers.items() if not name.startswith("content-")}
            detail = "The service does not let pages of this origin send such requests. See LOAN_CORS_ORIGINS."
            error = HttpError(400, "preflight_refused", detail, headers=kept)
            info.problem, response = error.code, error.response(info.request_id)
        response.headers["x-request-id"] = info.request_id
        await response(scope, receive, send)

"""Errors as RFC 9457 defines them: problem+json with a stable code and the invalid fields, never a value."""

import json
import logging
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from bento.connections.raw_answers import problem
from bento.http.request_info import request_info
from loan_platform.core.errors import Issue

log = logging.getLogger("loan_platform.service")


@dataclass(eq=False)
class HttpError(Exception):
    """An error response.

    Attributes:
        status: of HTTP.
        code: stable, for programs.
        detail: for people, with what to do next.
        errors: one for each invalid field.
        headers: further headers, such as Retry-After.
    """

    status: int
    code: str
    detail: str
    errors: tuple[Issue, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    def response(self, request_id: str) -> Response:
        """The response, with the id that finds the request in the log."""
        body = problem(self.status, self.code, self.detail, request_id)
        if self.errors:
            body["errors"] = [field_error(issue) for issue in self.errors]
        content = json.dumps(body, ensure_ascii=False).encode()
        headers = {**self.headers, "x-request-id": request_id}
        return Response(content, self.status, headers, media_type="application/problem+json")


def field_error(issue: Issue) -> dict[str, str]:
    """An issue of a field as an entry of `errors`."""
    entry = {"field": issue.path, "code": issue.code, "detail": issue.detail}
    return {**entry, "rule": issue.rule} if issue.rule else entry


class ProblemMiddleware:
    """Turns an error of the middlewares and endpoints inside into a problem response.

    Args:
        app: the next application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on.

        Raises:
            Exception: the error came after the response had started.
        """
        try:
            await self._app(scope, receive, send)
        except Exception as error:
            info = request_info(scope)
            if info.status:
                raise
            known = error if isinstance(error, HttpError) else unexpected(error, info.request_id)
            info.problem = known.code
            _release(error)
            await known.response(info.request_id)(scope, receive, send)


def _release(error: BaseException | None) -> None:
    """Let go of what an error holds: the variables of its frames, and the errors before it with the text they parsed.

    An error of a thread is in a reference cycle with its future, and the collector seldom runs. So the bodies of
    refused requests would stay in memory.
    """
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        before = error.__context__
        error.__context__ = error.__cause__ = None
        error = before


def unexpected(error: Exception, request_id: str) -> HttpError:
    """The problem for an unexpected error. The log gets its type and place, but not its message.

    Libraries put values into their messages, and values are personal data.
    """
    log.error("request %s: %s at %s", request_id, type(error).__name__, places(error))
    return HttpError(500, "defect", "The service failed. Use the request_id to find the error in its log.")


def places(error: Exception) -> str:
    """Files and lines of the traceback of an error, innermost first."""
    frames = traceback.extract_tb(error.__traceback__)
    return " < ".join(f"{frame.filename}:{frame.lineno}" for frame in reversed(frames))

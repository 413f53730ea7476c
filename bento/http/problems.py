"""Errors as RFC 9457 says: problem+json with a stable code, the fields at fault, and never a value."""

import json
import logging
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from loan_platform.core.errors import Issue

log = logging.getLogger("loan_platform.service")


@dataclass(eq=False)
class HttpError(Exception):
    """An answer that is an error.

    Attributes:
        status: of HTTP.
        code: stable, for programs.
        detail: what to do about it, for people.
        errors: one for each field at fault.
        headers: more of them, such as Retry-After.
    """

    status: int
    code: str
    detail: str
    errors: tuple[Issue, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    def response(self, request_id: str) -> Response:
        """The response; `request_id` finds it in the logs."""
        body: dict[str, object] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            "request_id": request_id,
        }
        if self.errors:
            body["errors"] = [field_error(issue) for issue in self.errors]
        content = json.dumps(body, ensure_ascii=False).encode()
        headers = {**self.headers, "x-request-id": request_id}
        response = _Problem(content, self.status, headers, media_type="application/problem+json")
        response.code = self.code
        return response


class _Problem(Response):
    """Leaves its code in the request's state, for the log."""

    code: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        scope.setdefault("state", {})["problem"] = self.code
        await super().__call__(scope, receive, send)


def field_error(issue: Issue) -> dict[str, str]:
    """An issue of a field as the entries of `errors` have it."""
    return {"field": issue.path, "code": issue.code, "detail": issue.detail}


def defect(error: Exception, request_id: str) -> Response:
    """The answer to an error that nobody foresaw; the log tells its place and not its message.

    Libraries put values into their messages, and values are personal data.
    """
    log.error("request %s: %s at %s", request_id, type(error).__name__, places(error))
    detail = "The service has a defect; the request_id finds it in the log."
    return HttpError(500, "defect", detail).response(request_id)


def places(error: Exception) -> str:
    """Where an error came from, the innermost place first."""
    frames = traceback.extract_tb(error.__traceback__)
    return " < ".join(f"{frame.filename}:{frame.lineno}" for frame in reversed(frames))

"""Errors as RFC 9457 says: problem+json with a stable code, the fields at fault, and never a value."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from starlette.responses import Response

from loan_platform.core.application import FieldProblem


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
    errors: tuple[FieldProblem, ...] = ()
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
            body["errors"] = [error._asdict() for error in self.errors]
        content = json.dumps(body, ensure_ascii=False).encode()
        headers = {**self.headers, "x-request-id": request_id}
        return Response(content, self.status, headers, media_type="application/problem+json")

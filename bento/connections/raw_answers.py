"""Answers to what is not yet a request: problem+json as bytes, written to the connection itself."""

import json
from http import HTTPStatus


def problem(status: int, code: str, detail: str, request_id: str | None = None) -> dict[str, object]:
    """The body of an error as RFC 9457 defines it.

    Args:
        status: of HTTP.
        code: stable, for programs.
        detail: for people, with what to do next.
        request_id: finds the request in the log. None: what arrived is no request, and has no line.
    """
    body: dict[str, object] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
    }
    return body if request_id is None else {**body, "request_id": request_id}


def raw_problem(status: int, code: str, detail: str) -> bytes:
    """An error as a whole response of HTTP/1.1, after which the connection closes. Arguments as for `problem`."""
    body = json.dumps(problem(status, code, detail)).encode()
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        "content-type: application/problem+json",
        f"content-length: {len(body)}",
        *(["retry-after: 1"] if status == HTTPStatus.SERVICE_UNAVAILABLE else []),
        "connection: close",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body

"""A response that is rendered once and sent many times, with an ETag and strict headers."""

import hashlib
from typing import NamedTuple, Self

from starlette.requests import Request
from starlette.responses import Response

from bento.http.request_info import request_info

STRICT_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cache-control": "no-cache",  # browsers check the ETag each time: a new model has another form
}


class CachedResponse(NamedTuple):
    """Content, its media type and its ETag."""

    content: bytes
    media: str
    etag: str

    @classmethod
    def from_content(cls, content: bytes, media: str) -> Self:
        """The ETag is the start of the SHA-256 of the content."""
        return cls(content, media, f'"{hashlib.sha256(content).hexdigest()[:32]}"')

    def response(self, request: Request, status: int = 200) -> Response:
        """The content, or 304 if the client already has it."""
        request_id = request_info(request.scope).request_id
        headers = {**STRICT_HEADERS, "etag": self.etag, "x-request-id": request_id}
        if status == 200 and self.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(self.content, status, headers, media_type=self.media)

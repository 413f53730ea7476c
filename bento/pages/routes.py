"""The pages for people, and OpenAPI: read once or made once for a model, and sent with an ETag and strict headers."""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from bento.http.guard import Route
from bento.http.problems import HttpError
from bento.model.champion import Serving
from bento.openapi.document import openapi
from bento.openapi.form_fields import form_json
from bento.openapi.open import ASSETS
from bento.pages.docs_page import docs_page, waiting_page
from loan_platform.core.applications.examples import ExampleApplications

FOLDER = Path(__file__).parent / "static"
PAGE_ROUTES = {path: Route("GET") for path in ("/", "/form.json", "/docs", "/docs.json", *ASSETS)}
HTML, JSON = "text/html", "application/json"
STRICT = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cache-control": "no-cache",  # the ETag is asked about each time: a new model has another form
}


class Thing(NamedTuple):
    """What is sent, and its name by content."""

    content: bytes
    media: str
    etag: str

    @classmethod
    def of(cls, content: bytes, media: str) -> "Thing":
        """Named by its hash."""
        return cls(content, media, f'"{hashlib.sha256(content).hexdigest()[:32]}"')

    def response(self, request: Request, status: int = 200) -> Response:
        """The thing, or that the caller has it."""
        headers = {**STRICT, "etag": self.etag, "x-request-id": request.state.request_id}
        if status == 200 and self.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(self.content, status, headers, media_type=self.media)


@dataclass(frozen=True)
class Documents:
    """What is made for one model."""

    model: tuple[int, str]
    openapi: Thing
    docs: Thing
    form: Thing

    @classmethod
    def of(cls, portfolio: str, serving: Serving) -> "Documents":
        """Make up applications, which takes a second at most, and write the documents with them."""
        bundle = serving.bundle
        examples = ExampleApplications(bundle.model, serving.reader, bundle.reference)
        document = openapi(portfolio, serving, examples.by_risk or {"ordinary": examples.ordinary})
        return cls(
            (serving.version, serving.sha256),
            Thing.of(_json(document), JSON),
            Thing.of(docs_page(document).encode(), HTML),
            Thing.of(_json(form_json(portfolio, serving, examples)), JSON),
        )


class Pages:
    """The endpoints of the pages.

    Args:
        portfolio: its name.
        serving: gives the model in force.

    Attributes:
        endpoints: by path, those of `PAGE_ROUTES`.
    """

    def __init__(self, portfolio: str, serving: Callable[[], Serving]) -> None:
        self._portfolio, self._serving = portfolio, serving
        self._documents: Documents | None = None
        self._making = asyncio.Lock()
        files = {path: Thing.of((FOLDER / Path(path).name).read_bytes(), media) for path, media in ASSETS.items()}
        files["/"] = Thing.of((FOLDER / "index.html").read_bytes(), HTML)
        self._waiting = Thing.of(waiting_page(portfolio).encode(), HTML)
        self.endpoints: dict[str, Callable[[Request], Awaitable[Response]]] = {
            **{path: _file(thing) for path, thing in files.items()},
            "/form.json": self._form,
            "/docs": self._docs,
            "/docs.json": self._openapi,
        }

    async def _openapi(self, request: Request) -> Response:
        return (await self._made()).openapi.response(request)

    async def _form(self, request: Request) -> Response:
        return (await self._made()).form.response(request)

    async def _docs(self, request: Request) -> Response:
        try:
            return (await self._made()).docs.response(request)
        except HttpError as error:
            return self._waiting.response(request, error.status)

    async def _made(self) -> Documents:
        """The documents of the model in force; made beside the requests, which go on being answered."""
        serving = self._serving()
        async with self._making:
            if self._documents is None or self._documents.model != (serving.version, serving.sha256):
                self._documents = await asyncio.to_thread(Documents.of, self._portfolio, serving)
            return self._documents


def _file(thing: Thing) -> Callable[[Request], Awaitable[Response]]:
    async def sent(request: Request) -> Response:
        return thing.response(request)

    return sent


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()

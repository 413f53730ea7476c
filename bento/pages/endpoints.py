"""The endpoints of the pages and of the OpenAPI document, sent with an ETag and strict headers."""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from starlette.requests import Request
from starlette.responses import Response

from bento.http.problems import HttpError
from bento.http.routes import Handler, Route
from bento.model.champion import Serving
from bento.model.current import CurrentModel
from bento.openapi.document import openapi
from bento.openapi.form_fields import form_json
from bento.pages.cached_response import CachedResponse
from bento.pages.docs_page import docs_page, no_model_page
from loan_platform.core.applications.examples import ExampleApplications

STATIC_FOLDER = Path(__file__).parent / "static"
HTML, JSON = "text/html", "application/json"
MEDIA = {".html": HTML, ".css": "text/css", ".js": "text/javascript"}


@dataclass(frozen=True)
class Documents:
    """The documents of one model."""

    model: tuple[int, str]
    openapi: CachedResponse
    docs: CachedResponse
    form: CachedResponse

    @classmethod
    def from_model(cls, routes: Iterable[Route], portfolio: str, serving: Serving) -> Self:
        """Make up example applications, which takes up to a second, and render the documents with them."""
        bundle = serving.bundle
        examples = ExampleApplications(bundle.model, serving.reader, bundle.reference)
        document = openapi(routes, portfolio, serving, examples.by_risk or {"ordinary": examples.ordinary})
        return cls(
            (serving.version, serving.sha256),
            CachedResponse.from_content(_json(document), JSON),
            CachedResponse.from_content(docs_page(document).encode(), HTML),
            CachedResponse.from_content(_json(form_json(portfolio, serving, examples)), JSON),
        )


class PageEndpoints:
    """Sends the pages.

    Args:
        model: gives the model in force.
        routes: of the service, for the OpenAPI document.
    """

    def __init__(self, model: CurrentModel, routes: Iterable[Route]) -> None:
        self._model, self._routes = model, routes
        self._documents: Documents | None = None
        self._rendering = asyncio.Lock()
        self._no_model = CachedResponse.from_content(no_model_page(model.portfolio).encode(), HTML)

    def file(self, name: str) -> Handler:
        """The handler that sends a file of `static`, which is read once."""
        path = STATIC_FOLDER / name
        cached = CachedResponse.from_content(path.read_bytes(), MEDIA[path.suffix])

        async def send_file(request: Request) -> Response:
            return cached.response(request)

        return send_file

    async def openapi(self, request: Request) -> Response:
        """The OpenAPI document."""
        return (await self._current()).openapi.response(request)

    async def form(self, request: Request) -> Response:
        """The fields of the form."""
        return (await self._current()).form.response(request)

    async def docs(self, request: Request) -> Response:
        """The OpenAPI document as a page."""
        try:
            return (await self._current()).docs.response(request)
        except HttpError as error:
            return self._no_model.response(request, error.status)

    async def _current(self) -> Documents:
        """The documents of the model in force. They are rendered in a thread, so that other requests do not wait."""
        serving = self._model.get()
        async with self._rendering:
            if self._documents is None or self._documents.model != (serving.version, serving.sha256):
                arguments = (self._routes, self._model.portfolio, serving)
                self._documents = await asyncio.to_thread(Documents.from_model, *arguments)
            return self._documents


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()

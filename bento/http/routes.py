"""What a route is, and how the route of a request is found. The routes themselves are in `bento/routes.py`."""

import re
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import compile_path
from starlette.types import Scope

from bento.http.operation import Operation

Handler = Callable[[Request], Awaitable[Response]]


class InFlight(Enum):
    """What the limit of in-flight requests does to a route."""

    COUNTED = "requests count, and are rejected when the limit is reached"
    REJECTED = "requests do not count, and are rejected when the limit is reached"
    EXEMPT = "requests do not count, and are always answered"


@dataclass(frozen=True, eq=False)
class Route:
    """One method of one path.

    Attributes:
        method: of HTTP.
        path: the path; a last part in braces is a parameter.
        endpoint: takes the endpoint objects of the worker and returns the handler. None: BentoML answers.
        operation: the description in the OpenAPI document.
        scope: scope that the API key must have. None: no key is needed.
        media: media types of the request body. Empty: the route takes no body.
        max_body_bytes: limit of the request body. None: the limit of uploads, LOAN_BATCH_MEGABYTES.
        streamed: whether the endpoint reads the request body as it arrives.
        in_flight: what the limit of in-flight requests does to it.
    """

    method: str
    path: str
    endpoint: Callable[[Any], Handler] | None
    operation: Operation
    scope: str | None = None
    media: tuple[str, ...] = ()
    max_body_bytes: int | None = 65_536
    streamed: bool = False
    in_flight: InFlight = InFlight.EXEMPT


@dataclass(frozen=True, eq=False)
class PathRoutes:
    """The routes of one path.

    Attributes:
        path: as in the table; the label in metrics, log and traces.
        by_method: the routes.
        rejected_when_full: whether requests are rejected when the limit of in-flight requests is reached.
    """

    path: str
    by_method: dict[str, Route]
    rejected_when_full: bool

    @property
    def methods(self) -> list[str]:
        """What the path accepts: the methods of its routes, and HEAD beside GET."""
        return [*self.by_method, *(["HEAD"] if "GET" in self.by_method else [])]


class RouteTable:
    """The routes of the service.

    Args:
        routes: in the order of the OpenAPI document. The routes of one path follow each other.
    """

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes = tuple(routes)
        self._exact: dict[str, PathRoutes] = {}
        self._templates: list[tuple[re.Pattern[str], PathRoutes]] = []
        paths = dict.fromkeys(route.path for route in self._routes)
        for path in paths:
            of_path = {route.method: route for route in self._routes if route.path == path}
            full = any(route.in_flight is not InFlight.EXEMPT for route in of_path.values())
            found = PathRoutes(path, of_path, full)
            if "{" in path:
                self._templates.append((compile_path(path)[0], found))
            else:
                self._exact[path] = found

    def __iter__(self) -> Iterator[Route]:
        return iter(self._routes)

    def find(self, scope: Scope) -> PathRoutes | None:
        """The routes of the path of a request. Path parameters are added to the scope, as Starlette's router does."""
        path: str = scope["path"]
        if found := self._exact.get(path):
            return found
        for pattern, of_template in self._templates:
            if match := pattern.match(path):
                scope["path_params"] = match.groupdict()
                return of_template
        return None

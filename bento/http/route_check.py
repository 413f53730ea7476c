"""Middleware that rejects unknown paths and methods."""

from starlette.types import ASGIApp, Receive, Scope, Send

from bento.http.problems import HttpError
from bento.http.request_info import request_info


class RouteCheckMiddleware:
    """Matches path and method to a route.

    Args:
        app: the next application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request to a known route.

        Raises:
            HttpError: 404 `unknown_path` or 405 `method_not_allowed`.
        """
        info = request_info(scope)
        if info.path_routes is None:
            raise HttpError(404, "unknown_path", "This path does not exist. See /docs.json for all paths.")
        info.is_head = scope["method"] == "HEAD"
        if info.is_head:  # answered as GET; the server leaves out the body
            scope = {**scope, "method": "GET"}
        info.route = info.path_routes.by_method.get(scope["method"])
        if info.route is None:
            methods = info.path_routes.methods
            detail = f"This path accepts only {' and '.join(methods)}."
            raise HttpError(405, "method_not_allowed", detail, headers={"allow": ", ".join(methods)})
        await self._app(scope, receive, send)

"""What the service knows about one request."""

from dataclasses import dataclass

from starlette.types import Scope

from bento.http.routes import PathRoutes, Route

_KEY = "loan_platform.request_info"  # in the ASGI scope


@dataclass(slots=True)
class RequestInfo:
    """Filled in by the middlewares and the endpoint; read by the log, the metrics, the traces and the audit log.

    Attributes:
        request_id: 16 hexadecimal digits, also in the response header X-Request-ID.
        path_routes: the routes of the path. None if the path is unknown.
        route: the route of path and method. None until it is matched.
        is_head: the method is HEAD, which is answered as GET without a body.
        key_id: id of the API key. None without a key.
        rate: rate limit that the API key carries. None if it has none of its own.
        model_version: version of the model that answered.
        problem: code of the problem that was returned.
        status: HTTP status of the response. 0 until the response starts.
    """

    request_id: str
    path_routes: PathRoutes | None = None
    route: Route | None = None
    is_head: bool = False
    key_id: str | None = None
    rate: str | None = None
    model_version: int | None = None
    problem: str | None = None
    status: int = 0


def request_info(scope: Scope) -> RequestInfo:
    """The information about the request of an ASGI scope."""
    return scope[_KEY]


def set_request_info(scope: Scope, info: RequestInfo) -> None:
    """Store the information in the ASGI scope of its request."""
    scope[_KEY] = info

"""Middleware that checks the API key of a request and its scope."""

import ipaddress
import re
from functools import lru_cache

from starlette.types import ASGIApp, Receive, Scope, Send

from bento.http.problems import HttpError
from bento.http.request_info import RequestInfo, request_info
from loan_platform.adapters.service.api_keys import KeyFile

_PORT = re.compile(r":[0-9]*$")


class AuthenticationMiddleware:
    """Lets requests pass that have a valid key, and those to routes without a scope.

    Args:
        app: the next application.
        keys: the valid keys. None in development: no key is needed, and clients must be on this machine.
    """

    def __init__(self, app: ASGIApp, keys: KeyFile | None) -> None:
        self._app, self._keys = app, keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on an authenticated request.

        Raises:
            HttpError: 401 `no_valid_key`, 403 `not_in_scope` or `not_local`.
        """
        info = request_info(scope)
        if self._keys is None:
            if not _is_local(scope):
                detail = "LOAN_ENV is development: the service has no keys and answers only clients on this machine."
                raise HttpError(403, "not_local", detail)
            if not _names_this_machine(scope):
                detail = "LOAN_ENV is development: the header Host must be localhost or a loopback address."
                raise HttpError(403, "not_local", detail)
        elif info.route is not None and info.route.scope is not None:
            _authenticate(scope, info, self._keys, info.route.scope)
        await self._app(scope, receive, send)


def _authenticate(scope: Scope, info: RequestInfo, keys: KeyFile, needed: str) -> None:
    sent = [value for name, value in scope["headers"] if name == b"x-api-key"]
    key = keys.find(sent[0].decode("latin-1")) if len(sent) == 1 else None
    if key is None:
        detail = "The key in the header X-API-Key is not valid." if sent else "Send your key in the header X-API-Key."
        raise HttpError(401, "no_valid_key", detail, headers={"www-authenticate": "X-API-Key"})
    if needed not in key.scopes:
        raise HttpError(403, "not_in_scope", f"This key does not have the scope {needed}.")
    info.key_id, info.rate = key.id, key.rate


def _is_local(scope: Scope) -> bool:
    client = scope.get("client")
    try:
        return client is not None and ipaddress.ip_address(client[0]).is_loopback
    except ValueError:
        return client is not None and client[0] == ""  # a Unix socket has no address


def _names_this_machine(scope: Scope) -> bool:
    """Whether the request is for this machine by name: a page of another site can point its own name here.

    This is DNS rebinding: the browser takes the service for a part of that site, and lets its scripts read answers.
    """
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    return _is_loopback(hosts[0]) if len(hosts) == 1 else not hosts  # HTTP/1.0 has no host, and no browser speaks it


@lru_cache(maxsize=64)
def _is_loopback(host: bytes) -> bool:
    name = _PORT.sub("", host.decode("latin-1")).strip("[]").lower()
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False

"""The rate limit of each API key: a moving window, exact over all workers."""

import math
import sqlite3
import time
from functools import lru_cache
from pathlib import Path

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage, Storage
from limits.strategies import MovingWindowRateLimiter
from starlette.types import ASGIApp, Receive, Scope, Send

from bento.http.problems import HttpError
from bento.http.request_info import request_info
from bento.http.shared_windows import SharedWindows
from loan_platform.settings.service import UNLIMITED

DEVELOPMENT = "development"  # whose window it is where no key is needed


class Limiter:
    """Counts requests by API key.

    A request to `/invocations` counts once, whatever its number of rows: body size and rows are limited elsewhere.

    Args:
        default: rate of keys that have none of their own, such as 100/minute.
        storage: holds the windows.
    """

    def __init__(self, default: str, storage: Storage) -> None:
        self._default, self._windows = default, MovingWindowRateLimiter(storage)

    def check(self, key_id: str, rate: str | None) -> None:
        """Count one request.

        Args:
            key_id: of the API key.
            rate: that the key carries. None: the default.

        Raises:
            HttpError: 429 `rate_limited`, with the seconds until the next request passes.
        """
        rate = rate or self._default
        if rate == UNLIMITED:
            return
        item = _parsed(rate)
        try:
            if self._windows.hit(item, key_id):
                return
            reset = self._windows.get_window_stats(item, key_id).reset_time
        except sqlite3.OperationalError:  # the file is locked; a limit must not stop the service
            return
        seconds = str(max(1, math.ceil(reset - time.time())))
        headers = {"retry-after": seconds, "ratelimit-limit": str(item.amount), "ratelimit-remaining": "0"}
        detail = f"The rate limit of this key is {rate.replace('/', ' requests per ')}."
        raise HttpError(429, "rate_limited", detail, headers=headers | {"ratelimit-reset": seconds})


class RateLimitMiddleware:
    """Limits the requests to routes that need a scope.

    Args:
        app: the next application.
        limiter: counts the requests.
    """

    def __init__(self, app: ASGIApp, limiter: Limiter) -> None:
        self._app, self._limiter = app, limiter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request within the limit.

        Raises:
            HttpError: 429 `rate_limited`.
        """
        info = request_info(scope)
        if info.route is not None and info.route.scope is not None:
            self._limiter.check(info.key_id or DEVELOPMENT, info.rate)
        await self._app(scope, receive, send)


def storage_for(workers: int, path: Path) -> Storage:
    """Memory for one worker. A file that all workers share for more than one."""
    return MemoryStorage() if workers == 1 else SharedWindows(path)


@lru_cache(maxsize=256)
def _parsed(rate: str) -> RateLimitItem:
    return parse(rate)

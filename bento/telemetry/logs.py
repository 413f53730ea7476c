"""The log of the service, of BentoML and of the server: one JSON object per line, without personal data."""

import json
import logging
import logging.config
import sys
import threading
import traceback
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

OWN_LOGGERS = "loan_platform"
MAX_WAITING_LINES = 10_000  # if the reader of the log stalls, the oldest lines are dropped
FLUSH_SECONDS = 0.2


class JsonLines(logging.Formatter):
    """Formats log records as JSON.

    Messages of libraries may contain what clients sent. So the log gets only the template of their warnings and errors,
    and only the type and the places of an exception.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of JSON."""
        is_own = record.name.startswith(OWN_LOGGERS) or record.levelno < logging.WARNING
        message = record.getMessage() if is_own else str(record.msg).partition("\n")[0]
        line: dict[str, Any] = {
            "time": _iso_time(record.created),
            "level": record.levelname,
            "logger": record.name,
            "message": message,
        }
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
            line["at"] = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(record.exc_info[2])][
                ::-1
            ]
        return json.dumps(line, ensure_ascii=False)


def configure(level: str) -> dict[str, Any]:
    """Log JSON from `level` on. Returns the configuration, which BentoML's supervisor has to apply again."""
    plain = {"level": level, "handlers": [], "propagate": True}
    config = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "bento.telemetry.logs.JsonLines"}},
        "handlers": {"out": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stdout"}},
        "loggers": {
            "bentoml": plain,
            OWN_LOGGERS: plain,
            "uvicorn.error": {**plain, "level": "WARNING"},
            "circus": {**plain, "level": "WARNING"},
        },
        "root": {"handlers": ["out"], "level": "WARNING"},
    }
    logging.config.dictConfig(config)
    return config


class RequestLog:
    """A log line for each request, written by a thread. A stalled reader of the log delays no response."""

    def __init__(self) -> None:
        self._lines: deque[tuple[float, Mapping[str, Any]]] = deque(maxlen=MAX_WAITING_LINES)
        self._lock = threading.Lock()
        threading.Thread(target=self._flush_always, name="request log", daemon=True).start()

    def add(self, answered_at: float, fields: Mapping[str, Any]) -> None:
        """Add the line of a request.

        Args:
            answered_at: seconds since the epoch.
            fields: of the line.
        """
        self._lines.append((answered_at, fields))

    def flush(self) -> None:
        """Write the waiting lines."""
        with self._lock:
            written: list[str] = []
            while self._lines:
                at, fields = self._lines.popleft()
                line = {"time": _iso_time(at), "level": "INFO", "logger": f"{OWN_LOGGERS}.request", **fields}
                written.append(json.dumps(line) + "\n")
            if written:
                sys.stdout.write("".join(written))
                sys.stdout.flush()

    def _flush_always(self) -> None:
        wait = threading.Event()
        while not wait.wait(FLUSH_SECONDS):
            self.flush()


def _iso_time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")

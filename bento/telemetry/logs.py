"""The log: one JSON object a line, our own messages and those of BentoML and its server, no personal data."""

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

import bentoml._internal.log as bentoml_log

OURS = "loan_platform"
MOST_LINES = 10_000  # that wait to be written; where the reader of the log stalls, the oldest are dropped
SECONDS = 0.2


class JsonLines(logging.Formatter):
    """Formats records.

    Messages of libraries may hold what callers sent, so of their warnings and errors only the template is told, and of
    an exception its type and places, never its message.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        is_plain = record.name.startswith(OURS) or record.levelno < logging.WARNING
        message = record.getMessage() if is_plain else str(record.msg).partition("\n")[0]
        line: dict[str, Any] = {
            "time": _time(record.created),
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


def configure(level: str) -> None:
    """Log as JSON from `level` on. BentoML's own configuration is changed, for its supervisor applies it once more."""
    plain = {"level": level, "handlers": [], "propagate": True}
    config = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "bento.telemetry.logs.JsonLines"}},
        "handlers": {"out": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stdout"}},
        "loggers": {
            "bentoml": plain,
            OURS: plain,
            "uvicorn.error": {**plain, "level": "WARNING"},
            "circus": {**plain, "level": "WARNING"},
        },
        "root": {"handlers": ["out"], "level": "WARNING"},
    }
    bentoml_log.SERVER_LOGGING_CONFIG.clear()
    bentoml_log.SERVER_LOGGING_CONFIG.update(config)
    logging.config.dictConfig(config)


class RequestLog:
    """A line for each request, written by a thread: a reader that stalls holds up no answer."""

    def __init__(self) -> None:
        self._lines: deque[tuple[float, Mapping[str, Any]]] = deque(maxlen=MOST_LINES)
        self._lock = threading.Lock()
        threading.Thread(target=self._follow, name="request log", daemon=True).start()

    def add(self, at: float, fields: Mapping[str, Any]) -> None:
        """Add a request.

        Args:
            at: seconds since the epoch, when it was answered.
            fields: of the line.
        """
        self._lines.append((at, fields))

    def flush(self) -> None:
        """Write what waits."""
        with self._lock:
            written: list[str] = []
            while self._lines:
                at, fields = self._lines.popleft()
                line = {"time": _time(at), "level": "INFO", "logger": f"{OURS}.request", **fields}
                written.append(json.dumps(line) + "\n")
            if written:
                sys.stdout.write("".join(written))
                sys.stdout.flush()

    def _follow(self) -> None:
        wait = threading.Event()
        while not wait.wait(SECONDS):
            self.flush()


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")

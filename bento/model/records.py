"""A record of every answer, before it is sent."""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from datetime import date
from types import SimpleNamespace
from typing import Any, NamedTuple

import polars as pl
from prometheus_client import Counter

from bento.http.problems import HttpError
from bento.model.champion import Serving
from loan_platform.adapters.audit.job_records import row_id
from loan_platform.adapters.audit.keys import AuditKey, plain_hash
from loan_platform.adapters.audit.writer import AuditLog, AuditOptions
from loan_platform.core.scoring.answer import Answer, recorded_answer, recorded_row
from loan_platform.settings.audit import AuditSettings

KEY_LENGTH = 200  # of an entity's key, where nothing else bounds it


class Asked(NamedTuple):
    """One application as it was asked about.

    Attributes:
        state: of the request: `request_id`, and `key_id` where a key was sent.
        serving: the model that is asked.
        values: as the caller sent them.
        inputs: that the model reads, typed.
        explain: whether reasons are wanted although the application is not declined.
    """

    state: Any
    serving: Serving
    values: Mapping[str, Any]
    inputs: Sequence[Any]
    explain: bool


class Records:
    """Makes records and hands them to the chain of this process.

    Args:
        portfolio: whose service this is.
        settings: how inputs are kept, and what is done where nothing can be written.
    """

    def __init__(self, portfolio: str, settings: AuditSettings) -> None:
        self._portfolio, self._kept, self._closed = portfolio, settings.inputs, settings.fail == "closed"
        self._key = key_of(settings)
        self._log = AuditLog(AuditOptions(settings.directory, keep_days=settings.keep_days), self._key)
        lost = Counter("loan_audit_lost", "Answers that went out without a record.", ("portfolio",))
        self._lost = lost.labels(portfolio)

    def start(self) -> None:
        """Open the chain."""
        self._log.start()

    def stop(self) -> None:
        """Close the chain."""
        self._log.stop()

    def check(self) -> None:
        """Whether answers can go out.

        Raises:
            HttpError: 503 `audit_unavailable`.
        """
        if self._closed and self._log.problem:
            raise _unavailable(self._log.problem)

    async def answered(self, answers: Sequence[tuple[Asked, Answer]]) -> None:
        """Record answers together; returns when they are on the disk.

        Raises:
            HttpError: 503 `audit_unavailable`: they cannot be recorded, and by the settings must not be sent.
        """
        await self._written([self._body(asked, answer) for asked, answer in answers])

    def _body(self, asked: Asked, answer: Answer) -> bytes:
        record = self._about(asked.state, asked.serving)
        record |= self._inputs(record["request_id"], asked.serving, asked.values, asked.inputs)
        return json_bytes(record | {"explain": asked.explain} | recorded_answer(answer))

    async def answered_rows(
        self,
        state: Any,
        serving: Serving,
        rows: Sequence[Mapping[str, Any]],
        frame: pl.DataFrame,
        answers: pl.DataFrame,
    ) -> None:
        """Record the answers to many rows, as `answered` does."""
        bodies = await asyncio.to_thread(self._bodies, self._about(state, serving), serving, rows, frame, answers)
        if bodies:
            await self._written(bodies)

    def _bodies(
        self,
        about: dict[str, Any],
        serving: Serving,
        rows: Sequence[Mapping[str, Any]],
        frame: pl.DataFrame,
        answers: pl.DataFrame,
    ) -> list[bytes]:
        bodies = list[bytes]()
        given = zip(rows, frame.iter_rows(), answers.iter_rows(named=True), strict=True)
        for number, (values, inputs, answer) in enumerate(given):
            identity = {"request_id": row_id(about["request_id"], number)}
            record = about | identity | self._inputs(identity["request_id"], serving, values, inputs)
            bodies.append(json_bytes(record | {"explain": False} | recorded_row(answer)))
        return bodies

    def _about(self, state: Any, serving: Serving) -> dict[str, Any]:
        return {
            "request_id": state.request_id,
            "time": time.time(),
            "key_id": getattr(state, "key_id", None),
            "portfolio": self._portfolio,
            "model_version": serving.version,
            "model_sha256": serving.sha256,
            "policy_version": serving.bundle.model.policy.version,
        }

    def _inputs(
        self, request_id: str, serving: Serving, values: Mapping[str, Any], inputs: Sequence[Any]
    ) -> dict[str, Any]:
        """What is kept of the inputs, with the key and the date of the application."""
        if self._kept == "omitted" and self._key is None:
            return {"inputs_hash": None}
        model, contract = serving.bundle.model, serving.bundle.model.contract
        typed = {column.name: value for column, value in zip(model.inputs, inputs, strict=True)}
        about = (values.get(name) if name else None for name in (contract.entity_key, contract.event_date))
        text = stated(typed, *about)
        found: dict[str, Any] = {"inputs_hash": self._key.hash(text) if self._key else plain_hash(text)}
        if self._kept == "plain":
            return found | {"plain": json.loads(text)}
        if self._kept == "encrypted" and self._key:
            return found | {"key": self._key.id, "encrypted": self._key.encrypt(text, request_id)}
        return found

    async def _written(self, bodies: list[bytes]) -> None:
        loop = asyncio.get_running_loop()
        written: asyncio.Future[str | None] = loop.create_future()

        def done(problem: str | None) -> None:
            loop.call_soon_threadsafe(_tell, written, problem)

        self._log.put(bodies, done)
        if (problem := await written) is None:
            return
        if self._closed:
            raise _unavailable(problem)
        self._lost.inc(len(bodies))
        self._log.add_lost(len(bodies))


def row_state(state: Any, number: int) -> SimpleNamespace:
    """The state of a request to /invocations as that of one of its rows, the first one 0."""
    return SimpleNamespace(request_id=row_id(state.request_id, number), key_id=getattr(state, "key_id", None))


def key_of(settings: AuditSettings) -> AuditKey | None:
    """The key of the records; encrypted inputs cannot do without."""
    return AuditKey.read(settings.key) if settings.inputs == "encrypted" or settings.key.exists() else None


def _tell(written: "asyncio.Future[str | None]", problem: str | None) -> None:
    if not written.done():  # whoever waited may be gone
        written.set_result(problem)


def _unavailable(problem: str) -> HttpError:
    return HttpError(503, "audit_unavailable", f"No answer is given: {problem}.", headers={"retry-after": "5"})


def stated(inputs: Mapping[str, Any], *about: Any) -> bytes:
    """What is kept of an application: the model's inputs, and what it states as the loan's key and the date."""
    entity, at = (value if isinstance(value, str) and len(value) <= KEY_LENGTH else None for value in about)
    return json_bytes({"inputs": inputs, "entity": entity, "date": at})


def json_bytes(value: Mapping[str, Any]) -> bytes:
    """Values of a record as JSON."""
    return json.dumps(value, allow_nan=False, separators=(",", ":"), default=_date).encode()


def _date(value: Any) -> str:
    assert isinstance(value, date)  # the only type of the contract's that JSON has not
    return value.isoformat()

"""Audit records: every answer is recorded before it is sent."""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

import polars as pl
from prometheus_client import CollectorRegistry, Counter

from bento.http.problems import HttpError
from bento.http.request_info import RequestInfo
from bento.model.champion import Serving
from loan_platform.adapters.audit.job_records import row_id
from loan_platform.adapters.audit.keys import AuditKey, plain_hash
from loan_platform.adapters.audit.writer import AuditLog, AuditOptions
from loan_platform.core.scoring.answer import Answer, recorded_answer, recorded_row
from loan_platform.settings.audit import AuditSettings

MAX_KEY_LENGTH = 200  # of an entity's key


class ScoringRequest(NamedTuple):
    """One application to score.

    Attributes:
        request_id: of the request, or of the row of a request with several rows.
        key_id: id of the API key. None without a key.
        serving: the model that scores it.
        values: as the client sent them.
        inputs: the typed inputs of the model.
        explain: whether to give reasons although the application is not declined.
    """

    request_id: str
    key_id: str | None
    serving: Serving
    values: Mapping[str, Any]
    inputs: Sequence[Any]
    explain: bool


class Records:
    """Writes audit records to the hash chain of this process.

    Args:
        portfolio: of the service.
        settings: how inputs are stored, and what happens if records cannot be written.
        registry: gets the counter of lost records.
    """

    def __init__(self, portfolio: str, settings: AuditSettings, registry: CollectorRegistry) -> None:
        self._portfolio, self._stored, self._closed = portfolio, settings.inputs, settings.fail == "closed"
        self._key = key_of(settings)
        self._log = AuditLog(AuditOptions(settings.directory, keep_days=settings.keep_days), self._key)
        lost = Counter("loan_audit_lost", "Answers sent without a record.", ("portfolio",), registry=registry)
        self._lost = lost.labels(portfolio)

    def start(self) -> None:
        """Open the chain."""
        self._log.start()

    def stop(self) -> None:
        """Close the chain."""
        self._log.stop()

    def check(self) -> None:
        """Check that answers can be recorded.

        Raises:
            HttpError: 503 `audit_unavailable`.
        """
        if self._closed and self._log.problem:
            raise _unavailable(self._log.problem)

    async def write(self, answers: Sequence[tuple[ScoringRequest, Answer]]) -> None:
        """Record answers together. Returns when the records are on disk.

        Raises:
            HttpError: 503 `audit_unavailable`: they cannot be recorded, and the settings forbid to send them.
        """
        await self._append([self._body(request, answer) for request, answer in answers])

    def _body(self, request: ScoringRequest, answer: Answer) -> bytes:
        record = self._header(request.request_id, request.key_id, request.serving)
        record |= self._inputs(request.request_id, request.serving, request.values, request.inputs)
        return json_bytes(record | {"explain": request.explain} | recorded_answer(answer))

    async def write_rows(
        self,
        info: RequestInfo,
        serving: Serving,
        rows: Sequence[Mapping[str, Any]],
        frame: pl.DataFrame,
        answers: pl.DataFrame,
    ) -> None:
        """Record the answers to many rows, as `write` does.

        Args:
            info: about the request.
            serving: the model that scored them.
            rows: as the client sent them.
            frame: the typed inputs of the model.
            answers: one row each.

        Raises:
            HttpError: as `write`.
        """
        header = self._header(info.request_id, info.key_id, serving)
        bodies = await asyncio.to_thread(self._bodies, header, serving, rows, frame, answers)
        if bodies:
            await self._append(bodies)

    def _bodies(
        self,
        header: dict[str, Any],
        serving: Serving,
        rows: Sequence[Mapping[str, Any]],
        frame: pl.DataFrame,
        answers: pl.DataFrame,
    ) -> list[bytes]:
        bodies = list[bytes]()
        sent = zip(rows, frame.iter_rows(), answers.iter_rows(named=True), strict=True)
        for number, (values, inputs, answer) in enumerate(sent):
            request_id = row_id(header["request_id"], number)
            record = header | {"request_id": request_id} | self._inputs(request_id, serving, values, inputs)
            bodies.append(json_bytes(record | {"explain": False} | recorded_row(answer)))
        return bodies

    def _header(self, request_id: str, key_id: str | None, serving: Serving) -> dict[str, Any]:
        return {
            "request_id": request_id,
            "time": time.time(),
            "key_id": key_id,
            "portfolio": self._portfolio,
            "model_version": serving.version,
            "model_sha256": serving.sha256,
            "policy_version": serving.bundle.model.policy.version,
        }

    def _inputs(
        self, request_id: str, serving: Serving, values: Mapping[str, Any], inputs: Sequence[Any]
    ) -> dict[str, Any]:
        """What is stored of the inputs, with the loan's key and the date of the application."""
        if self._stored == "omitted" and self._key is None:
            return {"inputs_hash": None}
        model, contract = serving.bundle.model, serving.bundle.model.contract
        typed = {column.name: value for column, value in zip(model.inputs, inputs, strict=True)}
        entity = serving.reader.key_of(values)
        date_ = values.get(contract.event_date) if contract.event_date else None
        text = application_json(typed, entity, date_)
        found: dict[str, Any] = {"inputs_hash": self._key.hash(text) if self._key else plain_hash(text)}
        if self._stored == "plain":
            return found | {"plain": json.loads(text)}
        if self._stored == "encrypted" and self._key:
            return found | {"key": self._key.id, "encrypted": self._key.encrypt(text, request_id)}
        return found

    async def _append(self, bodies: list[bytes]) -> None:
        loop = asyncio.get_running_loop()
        written: asyncio.Future[str | None] = loop.create_future()

        def done(problem: str | None) -> None:
            loop.call_soon_threadsafe(_resolve, written, problem)

        self._log.put(bodies, done)
        if (problem := await written) is None:
            return
        if self._closed:
            raise _unavailable(problem)
        self._lost.inc(len(bodies))
        self._log.add_lost(len(bodies))


def key_of(settings: AuditSettings) -> AuditKey | None:
    """The key of the records. Encrypted inputs require one."""
    return AuditKey.read(settings.key) if settings.inputs == "encrypted" or settings.key.exists() else None


def _resolve(written: "asyncio.Future[str | None]", problem: str | None) -> None:
    if not written.done():  # the request may be cancelled
        written.set_result(problem)


def _unavailable(problem: str) -> HttpError:
    return HttpError(
        503, "audit_unavailable", f"The answer cannot be recorded: {problem}.", headers={"retry-after": "5"}
    )


def application_json(inputs: Mapping[str, Any], entity: Any, date_: Any) -> bytes:
    """What is stored of an application: the model's inputs, the loan's key and the date of the application."""
    entity, date_ = (
        value if isinstance(value, str) and len(value) <= MAX_KEY_LENGTH else None for value in (entity, date_)
    )
    return json_bytes({"inputs": inputs, "entity": entity, "date": date_})


def json_bytes(value: Mapping[str, Any]) -> bytes:
    """Values of a record as JSON."""
    return json.dumps(value, allow_nan=False, separators=(",", ":"), default=_iso_date).encode()


def _iso_date(value: Any) -> str:
    assert isinstance(value, date)  # the only type of the contract that JSON lacks
    return value.isoformat()

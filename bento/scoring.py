"""The endpoints that score applications."""

import asyncio
import time
from collections.abc import Callable
from functools import partial

import polars as pl
from starlette.requests import Request
from starlette.responses import Response

from bento.http.bodies import Row, csv_rows, json_object, scoring_rows
from bento.http.key_shares import FairTurns
from bento.http.problems import HttpError
from bento.http.request_info import RequestInfo, request_info
from bento.http.responses import json_response
from bento.model.answer_json import answer_json
from bento.model.champion import Serving
from bento.model.current import CurrentModel
from bento.model.micro_batch import Scorer
from bento.model.records import Records, ScoringRequest
from bento.telemetry.drift import OnlineDrift
from bento.telemetry.metrics import Metrics
from loan_platform.adapters.audit.job_records import row_id
from loan_platform.core.applications.reader import MAX_ISSUES, ApplicationError
from loan_platform.core.scoring.answer import Answer, answer_rows

MAX_ROWS = 1_000  # of one request to /invocations
MAX_MICRO_BATCH_ROWS = 8  # of one request, that are scored together with single applications
SMALL_BODY_BYTES = 16_384  # up to this size a body is parsed on the event loop
CSV = "text/csv"


class ScoringEndpoints:
    """Scores applications with the model in force.

    Args:
        model: gives the model in force.
        metrics: counts the answers.
        drift: observes the answered applications.
        records: writes the audit records before the answers are sent.
        turns: of requests with large bodies.
    """

    def __init__(
        self, model: CurrentModel, metrics: Metrics, drift: OnlineDrift, records: Records, turns: FairTurns
    ) -> None:
        self._model, self._metrics, self._drift, self._records = model, metrics, drift, records
        self._turns = turns
        self._scorer = Scorer(records.write)

    async def predict(self, request: Request) -> Response:
        """Score one application. Reasons are given for a decline, or with `?explain=true`."""
        explain, info = _flag(request, "explain"), request_info(request.scope)
        return await self._answer(request, info, explain, partial(answer_json, request_id=info.request_id))

    async def probability(self, request: Request) -> Response:
        """Score one application and answer in the short form."""
        info = request_info(request.scope)
        return await self._answer(request, info, False, lambda _, answer: {"probability": answer.probability})

    async def invocations(self, request: Request) -> Response:
        """Score rows in MLflow's protocol, with the columns that the logged model returns."""
        serving, started = self._model.get(), time.perf_counter()
        info = request_info(request.scope)
        body, is_csv = await request.body(), request.headers["content-type"].lower().startswith(CSV)
        if len(body) <= SMALL_BODY_BYTES:
            rows, frame = _read_rows(serving, body, is_csv)
        else:  # in a thread, so that single applications do not wait for a large body
            async with self._turns.turn(info.key_id or ""):
                rows, frame = await asyncio.to_thread(_read_rows, serving, body, is_csv)
        is_small = frame.height <= MAX_MICRO_BATCH_ROWS
        answers = await (self._score_together if is_small else self._score_alone)(info, serving, rows, frame)
        decisions, risks = ([answer[name] for answer in answers] for name in ("decision", "risk"))
        self._metrics.count(serving, decisions, risks, time.perf_counter() - started)
        info.model_version = serving.version
        self._drift.observe(serving, frame, [answer["probability"] for answer in answers])
        return json_response(request, {"predictions": answers})

    async def _score_together(
        self, info: RequestInfo, serving: Serving, rows: list[Row], frame: pl.DataFrame
    ) -> list[Row]:
        """The answers to rows that are scored together with single applications."""
        requests = [
            ScoringRequest(row_id(info.request_id, number), info.key_id, serving, values, inputs, explain=False)
            for number, (values, inputs) in enumerate(zip(rows, frame.iter_rows(), strict=True))
        ]
        scored = await asyncio.gather(*map(self._scorer.answer, requests))
        answers = answer_rows(answer for answer, _ in scored)
        await asyncio.gather(*(recorded for _, recorded in scored))
        return answers

    async def _score_alone(
        self, info: RequestInfo, serving: Serving, rows: list[Row], frame: pl.DataFrame
    ) -> list[Row]:
        """The answers to rows that are scored on their own, in a thread."""
        answers = await asyncio.to_thread(serving.predictor.predict_frame, frame)
        await self._records.write_rows(info, serving, rows, frame, answers)
        return await asyncio.to_thread(answers.to_dicts)

    async def _answer(
        self, request: Request, info: RequestInfo, explain: bool, to_json: Callable[[Serving, Answer], Row]
    ) -> Response:
        serving, started = self._model.get(), time.perf_counter()
        values: Row = json_object(await request.body())
        try:
            inputs = serving.reader.inputs(values)
            scoring_request = ScoringRequest(info.request_id, info.key_id, serving, values, inputs, explain)
            answer, recorded = await self._scorer.answer(scoring_request)
        except ApplicationError as error:
            raise _invalid(error) from None
        response = json_response(request, to_json(serving, answer))
        await recorded
        self._metrics.count(serving, [answer.decision], [answer.risk], time.perf_counter() - started)
        info.model_version = serving.version
        self._drift.observe(serving, inputs, (answer.probability,))
        return response


def _read_rows(serving: Serving, body: bytes, is_csv: bool) -> tuple[list[Row], pl.DataFrame]:
    reader = serving.reader
    rows = csv_rows(body, reader.columns, reader.missing, MAX_ROWS) if is_csv else scoring_rows(body, MAX_ROWS)
    try:
        frame = reader.read_many(rows)
        if broken := reader.broken_rules(frame, "rows[{row}]."):  # before any row is scored and recorded
            raise ApplicationError([issue for issues in broken.values() for issue in issues][:MAX_ISSUES])
        return rows, frame
    except ApplicationError as error:
        raise _invalid(error) from None


def _invalid(error: ApplicationError) -> HttpError:
    count = len({issue.path for issue in error.issues})
    detail = "1 field is invalid." if count == 1 else f"{count} fields are invalid."
    return HttpError(422, "invalid_application", detail, tuple(error.issues))


def _flag(request: Request, name: str) -> bool:
    given = request.query_params.multi_items()
    if any(key != name or value not in {"true", "false"} for key, value in given) or len(given) > 1:
        raise HttpError(422, "unknown_parameter", f"The only parameter is {name}. It must be true or false.")
    return bool(given) and given[0][1] == "true"

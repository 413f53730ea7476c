"""The routes of the service: what is asked, what is answered."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial

import polars as pl
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.datastructures import State
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from bento.batch.routes import ONE, PATH, Batches
from bento.http.bodies import Row, csv_rows, json_object, scoring_rows
from bento.http.drain import Drain
from bento.http.guard import Route
from bento.http.problems import HttpError, defect
from bento.http.responses import json_response
from bento.model.answer_json import answer_json
from bento.model.champion import Champions, Serving
from bento.model.micro_batch import Scorer
from bento.model.records import Asked, Records, row_state
from bento.pages.routes import PAGE_ROUTES, Pages
from bento.telemetry.drift import OnlineDrift
from bento.telemetry.metrics import Metrics
from loan_platform.core.applications.reader import ApplicationError
from loan_platform.core.scoring.answer import Answer, answer_rows

Endpoint = Callable[[Request], Awaitable[Response]]

MLFLOW = "3.17.2"  # whose protocol this is, and which the service has not installed
MOST_ROWS = 1_000  # of one request to /invocations
FEW_ROWS = 8  # that are scored with single applications
SMALL_BYTES = 16_384  # of a body that is read at once
JSON = ("application/json",)
CSV = "text/csv"
ROUTES = {
    "/api/v1/predict": Route("POST", "predict", JSON),
    "/predict": Route("POST", "predict", JSON),
    "/invocations": Route("POST", "predict", (*JSON, CSV), most_bytes=8_000_000),
    "/api/v1/model/info": Route("GET", "predict"),
    "/ping": Route("GET"),
    "/version": Route("GET"),
    "/readyz": Route("GET"),
    "/metrics": Route("GET"),
    **PAGE_ROUTES,
}


class LoanApp:
    """Answers for one portfolio.

    Args:
        portfolio: its name.
        champions: gives the model in force.
        drain: tells whether the worker is at its end.
        drift: sees what was answered.
        records: keep what was answered, before it is sent.
        batches: takes jobs; None: this service takes none.
    """

    def __init__(
        self,
        portfolio: str,
        champions: Champions,
        drain: Drain,
        drift: OnlineDrift,
        records: Records,
        batches: Batches | None = None,
    ) -> None:
        self.portfolio, self.champions, self.metrics = portfolio, champions, Metrics(portfolio, champions)
        self._scorer, self._drain, self._drift, self._records = Scorer(records.answered), drain, drift, records
        self._endpoints: dict[str, Endpoint] = {
            "/api/v1/predict": self.predict,
            "/predict": self.probability,
            "/invocations": self.invocations,
            "/api/v1/model/info": self.model_info,
            "/ping": self.ping,
            "/version": self.version,
            "/readyz": self.ready,
            "/metrics": self.prometheus,
            **Pages(portfolio, self.serving).endpoints,
        }
        if batches is not None:
            self._endpoints |= {PATH: batches.post, ONE: batches.of_job}
            self.metrics.count_jobs(batches.counts, batches.store.rows)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI; the guard before it has found the path among the `ROUTES`."""
        request = Request(scope, receive)
        response = await self._response(request)
        await response(scope, receive, send)

    async def _response(self, request: Request) -> Response:
        try:
            template = request.scope["state"].get("route", request.scope["path"])
            return await self._endpoints[template](request)
        except HttpError as error:
            return error.response(request.state.request_id)
        except Exception as error:
            return defect(error, request.state.request_id)

    async def predict(self, request: Request) -> Response:
        """One application; reasons where it is declined, or with `?explain=true`."""
        explain = _flag(request, "explain")
        return await self._answer(request, explain, partial(answer_json, request_id=request.state.request_id))

    async def probability(self, request: Request) -> Response:
        """The short form."""
        return await self._answer(request, False, lambda _, answer: {"probability": answer.probability})

    async def invocations(self, request: Request) -> Response:
        """MLflow's scoring protocol: the columns that the logged model gives, by row."""
        serving, started = self.serving(), time.perf_counter()
        body, is_csv = await request.body(), request.headers["content-type"].lower().startswith(CSV)
        if len(body) <= SMALL_BYTES:
            rows, frame = _rows(serving, body, is_csv)
        else:  # in a thread: single applications need not wait for a thousand
            rows, frame = await asyncio.to_thread(_rows, serving, body, is_csv)
        few = frame.height <= FEW_ROWS
        answers = await (self._few if few else self._many)(request.state, serving, rows, frame)
        decisions, risks = ([answer[name] for answer in answers] for name in ("decision", "risk"))
        self.metrics.answered(serving, decisions, risks, time.perf_counter() - started)
        request.state.model_version = serving.version
        self._drift.seen(serving, frame, [answer["probability"] for answer in answers])
        return json_response(request, {"predictions": answers})

    async def _few(self, state: State, serving: Serving, rows: list[Row], frame: pl.DataFrame) -> list[Row]:
        """Answers to rows that are scored with the single applications of the moment."""
        asked = [
            Asked(row_state(state, number), serving, values, inputs, explain=False)
            for number, (values, inputs) in enumerate(zip(rows, frame.iter_rows(), strict=True))
        ]
        scored = await asyncio.gather(*map(self._scorer.answer, asked))
        answers = answer_rows(answer for answer, _ in scored)
        await asyncio.gather(*(recorded for _, recorded in scored))
        return answers

    async def _many(self, state: State, serving: Serving, rows: list[Row], frame: pl.DataFrame) -> list[Row]:
        """Answers to rows that are scored by themselves, in a thread."""
        answers = await asyncio.to_thread(serving.predictor.predict_frame, frame)
        await self._records.answered_rows(state, serving, rows, frame, answers)
        return await asyncio.to_thread(answers.to_dicts)

    async def model_info(self, request: Request) -> Response:
        """The model in force, and what became of the candidates after it."""
        serving = self.serving()
        model = serving.bundle.model
        return json_response(
            request,
            {
                "name": self.portfolio,
                "version": serving.version,
                "alias": "production",
                "sha256": serving.sha256,
                "family": model.family,
                "trained_on": serving.bundle.meta.get("split"),
                "metrics": serving.bundle.meta.get("metrics"),
                "choice": serving.bundle.meta.get("choice"),
                "decision_policy": model.policy.model_dump(mode="json"),
                "policy_version": model.policy.version,
                "contract": {
                    "sha256": serving.bundle.meta.get("contract_sha256"),
                    "inputs": [column.name for column in model.inputs],
                    "features": list(model.design.features),
                },
                "challenger": self.champions.challenger,
                "swaps": self.champions.swaps,
                "last_swap": self.champions.swapped_at,
                "refusals": self.champions.refusals,
                "last_refusal": self.champions.refusal,
                "drift": self._drift.state,
            },
        )

    async def ping(self, _: Request) -> Response:
        """MLflow's health check."""
        self.serving()
        return PlainTextResponse("\n")

    async def version(self, _: Request) -> Response:
        """The version of MLflow whose protocol this is."""
        return PlainTextResponse(MLFLOW)

    async def ready(self, request: Request) -> Response:
        """Whether a model answers, and goes on to."""
        if self._drain.begun:
            raise HttpError(503, "ending", "This worker ends.", headers={"retry-after": "1"})
        serving = self.serving()
        self._records.check()
        return json_response(request, {"status": "ready", "model_version": serving.version})

    async def prometheus(self, _: Request) -> Response:
        """The metrics of all processes."""
        return Response(self.metrics.page(), media_type=CONTENT_TYPE_LATEST)

    async def _answer(self, request: Request, explain: bool, told: Callable[[Serving, Answer], Row]) -> Response:
        serving, started = self.serving(), time.perf_counter()
        values: Row = json_object(await request.body())
        try:
            inputs = serving.reader.inputs(values)
        except ApplicationError as error:
            raise _refused(error) from None
        answer, recorded = await self._scorer.answer(Asked(request.state, serving, values, inputs, explain))
        response = json_response(request, told(serving, answer))
        await recorded
        self.metrics.answered(serving, [answer.decision], [answer.risk], time.perf_counter() - started)
        request.state.model_version = serving.version
        self._drift.seen(serving, inputs, (answer.probability,))
        return response

    def serving(self) -> Serving:
        """The model in force.

        Raises:
            HttpError: 503, there is none yet.
        """
        serving = self.champions.serving
        if serving is None:
            why = (
                "the candidate was refused, and the log says why"
                if self.champions.refusal
                else f"{self.portfolio} has no champion: materialize promoted_model first"
            )
            raise HttpError(503, "no_model", f"No model answers yet: {why}.", headers={"retry-after": "5"})
        return serving


def _rows(serving: Serving, body: bytes, is_csv: bool) -> tuple[list[Row], pl.DataFrame]:
    reader = serving.reader
    rows = csv_rows(body, reader.columns, MOST_ROWS) if is_csv else scoring_rows(body, MOST_ROWS)
    try:
        return rows, reader.read_many(rows)
    except ApplicationError as error:
        raise _refused(error) from None


def _refused(error: ApplicationError) -> HttpError:
    count = len(error.issues)
    detail = "One field keeps" if count == 1 else f"{count} fields keep"
    return HttpError(422, "invalid_application", f"{detail} the application from being scored.", tuple(error.issues))


def _flag(request: Request, name: str) -> bool:
    given = request.query_params.multi_items()
    if any(key != name or value not in {"true", "false"} for key, value in given) or len(given) > 1:
        raise HttpError(422, "unknown_parameter", f"The only parameter is {name}, and it is true or false.")
    return bool(given) and given[0][1] == "true"

"""The endpoints that report on the service: the model in force, probes and metrics."""

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from bento.http.drain import Drain
from bento.http.problems import HttpError
from bento.http.responses import json_response
from bento.model.current import CurrentModel
from bento.model.records import Records
from bento.telemetry.drift import OnlineDrift
from bento.telemetry.metrics import Metrics

MLFLOW_VERSION = "3.17.2"  # of the scoring protocol; MLflow itself is not installed in the service


class StatusEndpoints:
    """Reports on one worker and its model.

    Args:
        model: gives the model in force.
        drain: tells whether the worker is shutting down.
        drift: gives the online drift.
        records: tells whether audit records can be written.
        metrics: of the service.
    """

    def __init__(
        self, model: CurrentModel, drain: Drain, drift: OnlineDrift, records: Records, metrics: Metrics
    ) -> None:
        self._model, self._drain, self._drift, self._records, self._metrics = model, drain, drift, records, metrics

    async def model_info(self, request: Request) -> Response:
        """Describe the model in force, its swaps and the rejected candidates."""
        champions, serving = self._model.champions, self._model.get()
        model, meta = serving.bundle.model, serving.bundle.meta
        contract = {
            "sha256": meta.get("contract_sha256"),
            "inputs": [column.name for column in model.inputs],
            "features": list(model.design.features),
        }
        body = {
            "name": self._model.portfolio,
            "version": serving.version,
            "alias": "production",
            "sha256": serving.sha256,
            "family": model.family,
            "trained_on": meta.get("split"),
            "metrics": meta.get("metrics"),
            "choice": meta.get("choice"),
            "decision_policy": model.policy.model_dump(mode="json"),
            "policy_version": model.policy.version,
            "contract": contract,
            "challenger": champions.challenger,
            "swaps": champions.swaps,
            "last_swap": champions.swapped_at,
            "refusals": champions.refusals,
            "last_refusal": champions.refusal,
            "drift": self._drift.state,
        }
        return json_response(request, body)

    async def ping(self, _: Request) -> Response:
        """MLflow's health check."""
        self._model.get()
        return PlainTextResponse("\n")

    async def version(self, _: Request) -> Response:
        """The version of MLflow whose scoring protocol this is."""
        return PlainTextResponse(MLFLOW_VERSION)

    async def ready(self, request: Request) -> Response:
        """Whether a model is in force and the worker is not shutting down."""
        if self._drain.begun:
            raise HttpError(503, "ending", "This worker is shutting down.", headers={"retry-after": "1"})
        serving = self._model.get()
        self._records.check()
        return json_response(request, {"status": "ready", "model_version": serving.version})

    async def metrics_page(self, _: Request) -> Response:
        """The metrics of all processes."""
        return Response(self._metrics.page(), media_type=CONTENT_TYPE_LATEST)

"""Prometheus metrics of predictions, of batch jobs and of the champion."""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from bento.model.champion import Champions, Serving

BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0)


class BatchRows(Collector):
    """Rows of batch jobs. The batch process counts them in a file."""

    def __init__(self, portfolio: str, count: Callable[[], tuple[int, int]]) -> None:
        self._portfolio, self._count = portfolio, count

    def collect(self) -> Iterator[CounterMetricFamily]:
        """The rows that were scored and rejected."""
        rows = CounterMetricFamily("loan_batch_rows", "Rows of batch jobs.", labels=("portfolio", "outcome"))
        for outcome, number in zip(("scored", "refused"), self._count(), strict=True):
            rows.add_metric((self._portfolio, outcome), number)
        yield rows


class Metrics:
    """The metrics of one portfolio.

    Create it after BentoML has set the directory in which its processes keep their metrics.

    Args:
        portfolio: its name.
        champions: gives the model in force.
        registry: gets the metrics.
    """

    def __init__(self, portfolio: str, champions: Champions, registry: CollectorRegistry) -> None:
        self._portfolio, self._champions, self._registry = portfolio, champions, registry
        labels = ("portfolio",)

        def gauge(name: str, text: str, names: tuple[str, ...], mode: Literal["max", "mostrecent"]) -> Gauge:
            return Gauge(name, text, names, multiprocess_mode=mode, registry=registry)

        decided = (*labels, "model_version", "decision")
        self._predictions = Counter("loan_predictions", "Scored applications.", decided, registry=registry)
        self._results = Counter(
            "loan_prediction_result", "Scored applications by risk.", (*labels, "risk"), registry=registry
        )
        self._seconds = Histogram(
            "loan_prediction_duration_seconds", "From body to answer.", labels, buckets=BUCKETS, registry=registry
        )
        self._version = gauge("loan_model_version", "Version of the model in force. 0 for none.", labels, "max")
        self._age = gauge(
            "loan_model_age_seconds", "Seconds since the model in force was swapped in.", labels, "mostrecent"
        )
        self._jobs = gauge("loan_batch_jobs", "Batch jobs.", (*labels, "status"), "mostrecent")
        self._count_jobs: Callable[[], tuple[int, int]] | None = None
        self._rows: BatchRows | None = None
        self._started = time.time()
        self._swaps = gauge("loan_model_swaps", "Models swapped in since the start.", labels, "max")
        self._refusals = gauge("loan_model_refusals", "Models rejected since the start.", labels, "max")

    def count(self, serving: Serving, decisions: Iterable[str], risks: Iterable[str], seconds: float) -> None:
        """Count one answered request.

        Args:
            serving: the model that answered.
            decisions: of each application.
            risks: of each application.
            seconds: from body to answer.
        """
        for decision in decisions:
            self._predictions.labels(self._portfolio, str(serving.version), decision).inc()
        for risk in risks:
            self._results.labels(self._portfolio, risk).inc()
        self._seconds.labels(self._portfolio).observe(seconds)

    def count_jobs(self, count: Callable[[], tuple[int, int]], rows: Callable[[], tuple[int, int]]) -> None:
        """Add metrics of batch jobs.

        Args:
            count: gives the pending and the running jobs.
            rows: gives the rows that were scored and rejected.
        """
        self._count_jobs, self._rows = count, BatchRows(self._portfolio, rows)

    def page(self) -> bytes:
        """The metrics of all processes in Prometheus' text format."""
        serving = self._champions.serving
        self._version.labels(self._portfolio).set(serving.version if serving else 0)
        self._age.labels(self._portfolio).set(time.time() - (self._champions.swapped_at or self._started))
        self._swaps.labels(self._portfolio).set(self._champions.swaps)
        self._refusals.labels(self._portfolio).set(self._champions.refusals)
        if self._count_jobs is not None:
            for status, jobs in zip(("pending", "running"), self._count_jobs(), strict=True):
                self._jobs.labels(self._portfolio, status).set(jobs)
        combined = CollectorRegistry()
        if self._rows is not None:
            combined.register(self._rows)
        try:
            MultiProcessCollector(combined)
        except ValueError:  # a single process, which keeps its metrics in memory
            return generate_latest(self._registry) + generate_latest(combined)
        return generate_latest(combined)

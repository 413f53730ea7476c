"""What Prometheus is told: answers, their time, the model in force."""

import time
from collections.abc import Callable, Iterable, Iterator

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from bento.model.champion import Champions, Serving

SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0)


class BatchRows(Collector):
    """Rows of batch jobs, which another process counts in a file."""

    def __init__(self, portfolio: str, count: Callable[[], tuple[int, int]]) -> None:
        self._portfolio, self._count = portfolio, count

    def collect(self) -> Iterator[CounterMetricFamily]:
        """How many were scored and refused."""
        rows = CounterMetricFamily("loan_batch_rows", "Rows of batch jobs.", labels=("portfolio", "outcome"))
        for outcome, number in zip(("scored", "refused"), self._count(), strict=True):
            rows.add_metric((self._portfolio, outcome), number)
        yield rows


class Metrics:
    """The metrics of one portfolio; made after BentoML has said where its processes keep theirs."""

    def __init__(self, portfolio: str, champions: Champions) -> None:
        self._portfolio, self._champions = portfolio, champions
        labels = ("portfolio",)
        self._predictions = Counter(
            "loan_predictions", "Applications answered.", (*labels, "model_version", "decision")
        )
        self._results = Counter("loan_prediction_result", "Applications answered, by risk.", (*labels, "risk"))
        self._seconds = Histogram("loan_prediction_duration_seconds", "From body to answer.", labels, buckets=SECONDS)
        self._version = Gauge(
            "loan_model_version", "Version of the model in force; 0 for none.", labels, multiprocess_mode="max"
        )
        self._age = Gauge(
            "loan_model_age_seconds",
            "Since the model in force was swapped in.",
            labels,
            multiprocess_mode="mostrecent",
        )
        self._jobs = Gauge("loan_batch_jobs", "Batch jobs.", (*labels, "status"), multiprocess_mode="mostrecent")
        self._count_jobs: Callable[[], tuple[int, int]] | None = None
        self._rows: BatchRows | None = None
        self._started = time.time()
        self._swaps = Gauge("loan_model_swaps", "Models swapped in since the start.", labels, multiprocess_mode="max")
        self._refusals = Gauge(
            "loan_model_refusals", "Models refused since the start.", labels, multiprocess_mode="max"
        )

    def answered(self, serving: Serving, decisions: Iterable[str], risks: Iterable[str], seconds: float) -> None:
        """One request was answered."""
        for decision in decisions:
            self._predictions.labels(self._portfolio, str(serving.version), decision).inc()
        for risk in risks:
            self._results.labels(self._portfolio, risk).inc()
        self._seconds.labels(self._portfolio).observe(seconds)

    def count_jobs(self, count: Callable[[], tuple[int, int]], rows: Callable[[], tuple[int, int]]) -> None:
        """Tell of batch jobs too: how many wait and are worked on, how many rows were scored and refused."""
        self._count_jobs, self._rows = count, BatchRows(self._portfolio, rows)

    def page(self) -> bytes:
        """All metrics, of all processes, in Prometheus' text form."""
        serving = self._champions.serving
        self._version.labels(self._portfolio).set(serving.version if serving else 0)
        self._age.labels(self._portfolio).set(time.time() - (self._champions.swapped_at or self._started))
        self._swaps.labels(self._portfolio).set(self._champions.swaps)
        self._refusals.labels(self._portfolio).set(self._champions.refusals)
        if self._count_jobs is not None:
            for status, jobs in zip(("pending", "running"), self._count_jobs(), strict=True):
                self._jobs.labels(self._portfolio, status).set(jobs)
        together = CollectorRegistry()
        if self._rows is not None:
            together.register(self._rows)
        try:
            MultiProcessCollector(together)
        except ValueError:  # one process alone, which keeps its metrics in memory
            return generate_latest(REGISTRY) + generate_latest(together)
        return generate_latest(together)

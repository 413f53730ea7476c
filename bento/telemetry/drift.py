"""Online drift: the most recent applications against the champion's development sample."""

import logging
import random
import sqlite3
import threading
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from prometheus_client import CollectorRegistry, Gauge

from bento.model.champion import Champions, Serving
from bento.telemetry.drift_window import PARTS, SharedCounts
from loan_platform.core.book.monitoring_policies import DriftPolicy
from loan_platform.core.monitoring.psi import DriftTable, VariableDrift, table_of_counts
from loan_platform.core.monitoring.reference import SCORE_COLUMN, Reference, count, with_scores

log = logging.getLogger("loan_platform.service")

POLL_SECONDS = 2.0
MAX_WAITING_ROWS = 50_000  # between two comparisons; further rows are skipped


class _Observed(NamedTuple):
    serving: Serving
    inputs: Sequence[Any] | pl.DataFrame
    probability: Sequence[float]


class OnlineDrift:
    """PSI of features and scores in the window, as Prometheus gauges and in `state`.

    A request only appends its values to a list. A thread bins them and adds their counts to those of the other workers.
    It compares the window as a batch is compared, with the sample-size correction. Each model has its own window.

    Args:
        portfolio: its name.
        champions: gives the model in force.
        path: of the file that the workers share.
        window: number of rows. 0 disables the comparison.
        sample: share of the applications that are compared, 0 to 1.
        registry: gets the gauges.
        seconds: between two comparisons.
    """

    def __init__(
        self,
        portfolio: str,
        champions: Champions,
        path: Path,
        window: int,
        sample: float,
        registry: CollectorRegistry,
        seconds: float = POLL_SECONDS,
    ) -> None:
        self.window = window
        self._portfolio, self._champions, self._sample, self._seconds = portfolio, champions, sample, seconds
        self._path, self._counts = path, None
        self._counts: SharedCounts | None
        self._observed: list[_Observed] = []
        self._waiting = 0
        self._reference: tuple[str, tuple[Reference, DriftPolicy] | None] | None = None
        self._reported: set[str] = set()
        self._table: DriftTable | None = None
        labels = ("portfolio", "feature")
        self._psi = Gauge(
            "loan_model_drift_psi",
            "PSI of the most recent applications after the sample-size correction, by feature.",
            labels,
            multiprocess_mode="mostrecent",
            registry=registry,
        )
        self._detected = Gauge(
            "loan_model_drift_detected",
            "1 if a feature or the score exceeds the critical PSI.",
            labels[:1],
            multiprocess_mode="mostrecent",
            registry=registry,
        )
        self._detected.labels(portfolio).set(0)

    def start(self) -> None:
        """Compare from now on."""
        if self.window:
            threading.Thread(target=self._compare_always, name="drift", daemon=True).start()

    def observe(self, serving: Serving, inputs: Sequence[Any] | pl.DataFrame, probability: Sequence[float]) -> None:
        """Add answered applications.

        Args:
            serving: the model that answered.
            inputs: the typed inputs of one application, or a frame of several.
            probability: of default, for each application.
        """
        if (
            not self.window
            or (self._sample < 1 and random.random() >= self._sample)
            or self._waiting > MAX_WAITING_ROWS
        ):
            return
        self._waiting += len(probability)
        self._observed.append(_Observed(serving, inputs, probability))

    @property
    def state(self) -> dict[str, Any] | None:
        """Whether the verdict is critical, rows, and variables over their limit. None: nothing to compare.

        Features over their limit that carry little of the model together make no verdict critical.
        """
        table = self._table
        if table is None:
            return None
        over = [_label(variable) for variable in table.with_status("critical")]
        return {
            "detected": table.verdict == "critical",
            "verdict": table.verdict,
            "rows": table.rows,
            "window": self.window,
            "over": over,
        }

    def compare(self) -> None:
        """Add the applications since the last comparison to the window, and compare it."""
        observed, self._observed, self._waiting = self._observed, [], 0
        serving = self._champions.serving
        if serving is None:
            return
        reference_and_limits = self._reference_of(serving)
        if reference_and_limits is None:
            self._report(None)
            return
        reference, limits = reference_and_limits
        if self._counts is None:
            self._counts = SharedCounts(self._path, self.window)
        current = _newest([one for one in observed if one.serving is serving], self.window)
        if current:
            frame, scores = _frame(current)
            features = serving.bundle.model.features(frame).select([v.name for v in reference.features])
            step = max(self.window // PARTS, frame.height // 4, 1)  # cost grows with the rows of a part
            for start in range(0, frame.height, step):
                part = with_scores(features.slice(start, step), scores[start : start + step])
                counts = np.concatenate([np.array(c, dtype=np.int64) for c in count(reference.variables, part)])
                self._counts.add(serving.version, serving.sha256, part.height, counts)
        ends = np.cumsum([len(variable.counts) for variable in reference.variables])
        rows, total = self._counts.window(serving.version, serving.sha256, int(ends[-1]))
        by_variable = [part.tolist() for part in np.split(total, ends[:-1])] if rows else []
        self._report(table_of_counts(reference, by_variable, rows, limits, serving.bundle.model.importance))

    def _reference_of(self, serving: Serving) -> tuple[Reference, DriftPolicy] | None:
        """The development sample of a model, and the drift limits of its book when it was trained."""
        if self._reference is None or self._reference[0] != serving.sha256:
            try:
                reference = Reference.from_json(serving.bundle.reference)
                found = reference, DriftPolicy.model_validate(serving.bundle.meta.get("drift", {}))
            except ValueError:
                log.warning("version %s has no drift reference: its drift is not measured", serving.version)
                found = None
            self._reference = serving.sha256, found
        return self._reference[1]

    def _report(self, table: DriftTable | None) -> None:
        known = table is not None and table.verdict != "unknown"
        values = {_label(v): max(v.psi - v.chance, 0.0) for v in table.variables} if table and known else {}
        for name in self._reported - set(values):
            self._psi.labels(self._portfolio, name).set(0)
        for name, value in values.items():
            self._psi.labels(self._portfolio, name).set(value)
        self._reported |= set(values)
        self._detected.labels(self._portfolio).set(table is not None and table.verdict == "critical")
        self._table = table

    def _compare_always(self) -> None:
        wait = threading.Event()
        while not wait.wait(self._seconds):
            try:
                self.compare()
            except (sqlite3.Error, OSError, pl.exceptions.PolarsError, ValueError) as error:
                log.error("the drift comparison failed (%s)", type(error).__name__)


def _newest(observed: list[_Observed], rows: int) -> list[_Observed]:
    """The newest that together have at least this many rows."""
    found = 0
    for i in range(len(observed) - 1, -1, -1):
        found += len(observed[i].probability)
        if found >= rows:
            return observed[i:]
    return observed


def _label(variable: VariableDrift) -> str:
    return SCORE_COLUMN if variable.role == "score" else variable.name  # a feature may be named score


def _frame(observed: Sequence[_Observed]) -> tuple[pl.DataFrame, "np.ndarray[Any, np.dtype[np.float64]]"]:
    """The applications to one model as one frame, and their probabilities."""
    reader, frames = observed[0].serving.reader, list[pl.DataFrame]()
    for single, group in groupby(observed, lambda one: not isinstance(one.inputs, pl.DataFrame)):
        inputs: list[Any] = [one.inputs for one in group]
        frames += [reader.frame(inputs)] if single else inputs
    scores = np.array([value for one in observed for value in one.probability], dtype=np.float64)
    return pl.concat(frames), scores

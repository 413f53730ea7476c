"""Drift of what is asked: the last answered applications against the champion's development sample."""

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
from prometheus_client import Gauge

from bento.model.champion import Champions, Serving
from bento.telemetry.drift_window import PARTS, SharedCounts
from loan_platform.core.book.monitoring_policies import DriftPolicy
from loan_platform.core.monitoring.psi import DriftTable, VariableDrift, table_of_counts
from loan_platform.core.monitoring.reference import SCORE_COLUMN, Reference, count, with_scores

log = logging.getLogger("loan_platform.service")

SECONDS = 2.0  # between two looks
MOST_WAITING = 50_000  # rows that wait for a look; more are not looked at


class _Seen(NamedTuple):
    serving: Serving
    inputs: Sequence[Any] | pl.DataFrame
    probability: Sequence[float]


class OnlineDrift:
    """PSI of the window's features and scores, in Prometheus' gauges and in `state`.

    A request only leaves its values in a list. A thread bins them, adds their counts to those of the other workers and
    compares the window as a batch is compared, chance at its size taken off. A model swapped in has a new window.

    Args:
        portfolio: its name.
        champions: gives the model in force.
        path: of the file that the workers share.
        window: rows; 0: nothing is looked at.
        sample: share of the applications that are looked at.
        seconds: between two looks.
    """

    def __init__(
        self, portfolio: str, champions: Champions, path: Path, window: int, sample: float, seconds: float = SECONDS
    ) -> None:
        self.window = window
        self._portfolio, self._champions, self._sample, self._seconds = portfolio, champions, sample, seconds
        self._path, self._counts = path, None
        self._counts: SharedCounts | None
        self._seen: list[_Seen] = []
        self._waiting = 0
        self._against: tuple[str, tuple[Reference, DriftPolicy] | None] | None = None
        self._told: set[str] = set()
        self._table: DriftTable | None = None
        labels = ("portfolio", "feature")
        self._psi = Gauge(
            "loan_model_drift_psi",
            "PSI of the last applications above what chance gives, by feature.",
            labels,
            multiprocess_mode="mostrecent",
        )
        self._detected = Gauge(
            "loan_model_drift_detected",
            "1 where a feature or the score is over the critical PSI.",
            labels[:1],
            multiprocess_mode="mostrecent",
        )
        self._detected.labels(portfolio).set(0)

    def start(self) -> None:
        """Begin to look."""
        if self.window:
            threading.Thread(target=self._follow, name="drift", daemon=True).start()

    def seen(self, serving: Serving, inputs: Sequence[Any] | pl.DataFrame, probability: Sequence[float]) -> None:
        """Applications were answered.

        Args:
            serving: by which model.
            inputs: of one application as its reader gave them, or a frame of several.
            probability: of default, of each.
        """
        if not self.window or (self._sample < 1 and random.random() >= self._sample) or self._waiting > MOST_WAITING:
            return
        self._waiting += len(probability)
        self._seen.append(_Seen(serving, inputs, probability))

    @property
    def state(self) -> dict[str, Any] | None:
        """Whether there is drift, rows of the window, features over their limit; None: nothing to compare."""
        table = self._table
        if table is None:
            return None
        over = [_label(variable) for variable in table.with_status("critical")]
        return {
            "detected": bool(over),
            "verdict": table.verdict,
            "rows": table.rows,
            "window": self.window,
            "over": over,
        }

    def look(self) -> None:
        """Bin what was seen since the last look, and compare the window."""
        seen, self._seen, self._waiting = self._seen, [], 0
        serving = self._champions.serving
        if serving is None:
            return
        against = self._against_of(serving)
        if against is None:
            self._tell(None)
            return
        reference, limits = against
        if self._counts is None:
            self._counts = SharedCounts(self._path, self.window)
        of_it = _newest([one for one in seen if one.serving is serving], self.window)
        if of_it:
            frame, scores = _frame(of_it)
            features = serving.bundle.model.features(frame).select([v.name for v in reference.features])
            step = max(self.window // PARTS, frame.height // 4, 1)  # each part costs as much as its rows
            for start in range(0, frame.height, step):
                part = with_scores(features.slice(start, step), scores[start : start + step])
                counts = np.concatenate([np.array(c, dtype=np.int64) for c in count(reference.variables, part)])
                self._counts.add(serving.version, serving.sha256, part.height, counts)
        ends = np.cumsum([len(variable.counts) for variable in reference.variables])
        rows, total = self._counts.window(serving.version, serving.sha256, int(ends[-1]))
        by_variable = [part.tolist() for part in np.split(total, ends[:-1])] if rows else []
        self._tell(table_of_counts(reference, by_variable, rows, limits))

    def _against_of(self, serving: Serving) -> tuple[Reference, DriftPolicy] | None:
        """The sample that a model's traffic is held against, and the limits of its book when it was trained."""
        if self._against is None or self._against[0] != serving.sha256:
            try:
                reference = Reference.from_json(serving.bundle.reference)
                found = reference, DriftPolicy.model_validate(serving.bundle.meta.get("drift", {}))
            except ValueError:
                log.warning("version %s has no drift reference, so its drift is not looked at", serving.version)
                found = None
            self._against = serving.sha256, found
        return self._against[1]

    def _tell(self, table: DriftTable | None) -> None:
        known = table is not None and table.verdict != "unknown"
        values = {_label(v): max(v.psi - v.chance, 0.0) for v in table.variables} if table and known else {}
        for name in self._told - set(values):
            self._psi.labels(self._portfolio, name).set(0)
        for name, value in values.items():
            self._psi.labels(self._portfolio, name).set(value)
        self._told |= set(values)
        self._detected.labels(self._portfolio).set(table is not None and table.verdict == "critical")
        self._table = table

    def _follow(self) -> None:
        wait = threading.Event()
        while not wait.wait(self._seconds):
            try:
                self.look()
            except (sqlite3.Error, OSError, pl.exceptions.PolarsError, ValueError) as error:
                log.error("drift could not be looked at (%s)", type(error).__name__)


def _newest(seen: list[_Seen], rows: int) -> list[_Seen]:
    """The newest of them that have so many rows together."""
    found = 0
    for i in range(len(seen) - 1, -1, -1):
        found += len(seen[i].probability)
        if found >= rows:
            return seen[i:]
    return seen


def _label(variable: VariableDrift) -> str:
    return SCORE_COLUMN if variable.role == "score" else variable.name  # a feature may be called score


def _frame(seen: Sequence[_Seen]) -> tuple[pl.DataFrame, "np.ndarray[Any, np.dtype[np.float64]]"]:
    """What was seen of one model, as one frame and its scores."""
    reader, frames = seen[0].serving.reader, list[pl.DataFrame]()
    for single, group in groupby(seen, lambda one: not isinstance(one.inputs, pl.DataFrame)):
        inputs: list[Any] = [one.inputs for one in group]
        frames += [reader.frame(inputs)] if single else inputs
    scores = np.array([value for one in seen for value in one.probability], dtype=np.float64)
    return pl.concat(frames), scores

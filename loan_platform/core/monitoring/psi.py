"""Drift of a scored batch against the champion's development sample, by the population stability index (PSI)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loan_platform.core.book.monitoring_policies import DriftPolicy
from loan_platform.core.monitoring.reference import (
    SCORE_COLUMN,
    Floats,
    Reference,
    VariableReference,
    count,
    with_scores,
)

LEAST_SHARE = 0.0005  # of a bin

Status = Literal["ok", "warning", "critical", "unknown"]
Remedy = Literal["none", "recalibrate", "retrain", "map_values", "refer"]


@dataclass(frozen=True)
class VariableDrift:
    """PSI of one variable, its thresholds at this batch's size, and the share of each bin (0 to 1).

    `chance` is the PSI that sampling alone may give. Both thresholds include it. `shift` is that of `rank_shift`.
    `share` is the feature's share of the model, 0 to 1; None for the score, and where it is not known.
    """

    name: str
    role: Literal["score", "feature"]
    psi: float
    chance: float
    warning: float
    critical: float
    status: Status
    labels: tuple[str, ...]
    reference: tuple[float, ...]
    batch: tuple[float, ...]
    shift: float | None
    share: float | None = None


@dataclass(frozen=True)
class DriftTable:
    """Drift of the score (first) and of every feature of one batch, and the verdict on the batch.

    A batch without rows has no variables. Below the policy's number of rows every status is `unknown`.
    `remedy` says what would mend the drift, with its reason; `none` where nothing drifts or retraining would not help.
    """

    rows: int
    reference_rows: int
    verdict: Status
    variables: tuple[VariableDrift, ...]
    remedy: Remedy = "none"
    remedy_reason: str = ""

    def with_status(self, status: Status) -> tuple[VariableDrift, ...]:
        """Variables with this status, largest PSI first."""
        return tuple(sorted((v for v in self.variables if v.status == status), key=lambda v: -v.psi))

    def to_frame(self) -> pl.DataFrame:
        """One row per variable: name, role, status, PSI, thresholds, share of missing values in reference and batch."""
        return pl.DataFrame(
            [
                (v.name, v.role, v.status, v.psi, v.warning, v.critical, v.reference[-1], v.batch[-1])
                for v in self.variables
            ],
            schema=_FRAME,
            orient="row",
        )


_FRAME = {
    "name": pl.String,
    "role": pl.String,
    "status": pl.String,
    "psi": pl.Float64,
    "warning": pl.Float64,
    "critical": pl.Float64,
    "missing_reference": pl.Float64,
    "missing_batch": pl.Float64,
}


def drift_table(
    reference: Reference,
    features: pl.DataFrame,
    scores: Floats,
    policy: DriftPolicy,
    shares: Mapping[str, float] | None = None,
) -> DriftTable:
    """Compare a scored batch with the development sample.

    A variable drifts if its PSI reaches the policy's threshold plus the PSI that sampling alone gives at this size
    (`chance_psi`). The verdict is the worst status of the score and the features. Critical features make it critical
    only if they carry the policy's share of the model together; otherwise they warn.

    Args:
        reference: Frozen at training.
        features: The batch's features, one row per loan; it has every feature of the reference.
        scores: Probability of default, shape (rows,).
        policy: Thresholds, quantile of chance, smallest batch that gets a verdict.
        shares: Share of the model of each feature; without it each feature counts in full.

    Raises:
        ValueError: a feature of the reference is not there, or lengths differ.
    """
    if absent := sorted({v.name for v in reference.features}.difference(features.columns)):
        raise ValueError(f"the batch lacks features of the drift reference: {', '.join(absent)}")
    rows = len(features)
    frame = with_scores(features, scores)
    counts = count(reference.variables, frame) if rows else []
    return table_of_counts(reference, counts, rows, policy, shares)


def table_of_counts(
    reference: Reference,
    counts: Sequence[Sequence[int]],
    rows: int,
    policy: DriftPolicy,
    shares: Mapping[str, float] | None = None,
) -> DriftTable:
    """The drift table of a batch, from its counts per bin.

    Args:
        reference: Frozen at training.
        counts: Rows per bin of each of `reference.variables`; none of a batch without rows.
        rows: Of the batch.
        policy, shares: As for `drift_table`.
    """
    variables = tuple(
        _drift(variable, np.array(batch), policy, shares)
        for variable, batch in zip(reference.variables, counts, strict=False)
    )
    return DriftTable(rows, reference.rows, _verdict(variables, rows, policy), variables)


def psi(reference: NDArray[np.int64], batch: NDArray[np.int64]) -> float:
    """Population stability index of two sets of counts over the same bins: sum of (p - q) ln(p / q).

    A bin has at least the share 0.0005 on either side, so the PSI of a batch does not depend on the size of the
    reference. A bin of the batch has at least half a row, up to the share of the reference: a fixed share alone makes
    small batches alarm by chance. With ten levels of 1 % each and 100 rows, 30 % of samples of the same distribution
    exceed the 99 % quantile of `chance_psi` with 0.0001; with half a row 0.01 % do. A bin that is empty on both sides
    adds nothing (decision 30).

    Args:
        reference: Rows per bin, shape (bins,).
        batch: Rows per bin, shape (bins,).
    """
    q = np.maximum(reference / reference.sum(), LEAST_SHARE)
    p = np.maximum(batch / batch.sum(), np.clip(0.5 / batch.sum(), LEAST_SHARE, q))
    return float(np.sum((p - q) * np.log(p / q)))


def rank_shift(variable: VariableReference, batch: NDArray[np.int64]) -> float | None:
    """Share of pairs of a batch row and a development row in which the batch row is higher, less the share of lower.

    From -1 to 1; 0 without a shift. Rows of one bin tie. It has the direction that a PSI lacks. None for categories,
    and where all rows of a side are missing.

    Args:
        variable: the reference.
        batch: rows per bin, shape (bins,).
    """
    if variable.kind == "category":
        return None
    ordered = slice(None, -1 if variable.kind == "number" else -2)  # without missing values and (other)
    before, now = np.array(variable.counts, dtype=np.float64)[ordered], batch[ordered].astype(np.float64)
    if not before.sum() or not now.sum():
        return None
    higher = float((now * (before.cumsum() - before)).sum())
    lower = float((before * (now.cumsum() - now)).sum())
    return (higher - lower) / float(before.sum() * now.sum())


def chance_psi(bins: int, rows: int, reference_rows: int, quantile: float) -> float:
    """Quantile of the PSI between two samples of the same distribution.

    Such a PSI is about (1/rows + 1/reference_rows) times a chi-square variable with bins - 1 degrees of freedom:
    B. Yurdakul and J. Naranjo, "Statistical properties of the population stability index", Journal of Risk Model
    Validation 14(4), 2020.

    Args:
        bins: Bins that hold development loans.
        rows: Rows of the batch.
        reference_rows: Rows of the development sample.
        quantile: 0 to 1.
    """
    from scipy.special import chdtri  # pyright: ignore[reportMissingTypeStubs]

    if bins < 2:
        return 0.0
    return float(chdtri(bins - 1, 1 - quantile)) * (1 / rows + 1 / reference_rows)


def _drift(
    variable: VariableReference, batch: NDArray[np.int64], policy: DriftPolicy, shares: Mapping[str, float] | None
) -> VariableDrift:
    reference = np.array(variable.counts)
    rows, reference_rows = int(batch.sum()), int(reference.sum())
    chance = chance_psi(int((reference > 0).sum()), rows, reference_rows, policy.null_quantile)
    value = psi(*_unless_fewer_are_new(variable, reference, batch))
    warning, critical = policy.warning + chance, policy.critical + chance
    is_score = variable.name == SCORE_COLUMN
    return VariableDrift(
        name="score" if is_score else variable.name,
        role="score" if is_score else "feature",
        psi=value,
        chance=chance,
        warning=warning,
        critical=critical,
        status=_status(value, warning, critical) if rows >= policy.min_rows else "unknown",
        labels=variable.labels,
        reference=tuple((reference / reference_rows).tolist()),
        batch=tuple((batch / rows).tolist()),
        shift=rank_shift(variable, batch),
        share=None if is_score or shares is None else shares.get(variable.name, 0.0),
    )


def _unless_fewer_are_new(
    variable: VariableReference, reference: NDArray[np.int64], batch: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The counts; `(new)` and `(other)` are one bin where the batch has no more new levels than were to be expected."""
    if not variable.rare or batch[-2] * reference.sum() > reference[-2] * batch.sum():
        return reference, batch
    merged = [np.concatenate((counts[:-3], [counts[-3] + counts[-2]], counts[-1:])) for counts in (reference, batch)]
    return merged[0], merged[1]


def _status(value: float, warning: float, critical: float) -> Status:
    if value >= critical:
        return "critical"
    return "warning" if value >= warning else "ok"


def _verdict(variables: tuple[VariableDrift, ...], rows: int, policy: DriftPolicy) -> Status:
    if rows < policy.min_rows:
        return "unknown"
    found = {variable.status for variable in variables}
    carried = sum(1.0 if v.share is None else v.share for v in variables if v.status == "critical")
    if "critical" in found and carried >= policy.min_feature_share:
        return "critical"
    return "warning" if found & {"warning", "critical"} else "ok"

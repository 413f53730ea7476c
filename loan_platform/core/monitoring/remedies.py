"""What would mend a drift: the level or the shape of the score, a source's values, or nothing that training can do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loan_platform.core.book.monitoring_policies import DriftPolicy
from loan_platform.core.features.design_matrix import Design
from loan_platform.core.monitoring.psi import DriftTable, Remedy, VariableDrift, drift_table, psi
from loan_platform.core.monitoring.reference import Floats, Reference, VariableReference

Cause = Literal["source", "new_values", "unsupported", "shape", "level", "moved"]

SOURCE_GAIN = 0.5  # share of a batch in one more bin; a shift by one standard deviation brings 0.3 to a decile
SOURCE_BEFORE = 0.15  # most of development in that bin: a decile with its ties. A commoner value is business as usual
SHIFTS = np.linspace(-4, 4, 161)  # log-odds that the level of the score may have moved by
MEND: dict[Cause, Remedy] = {
    "source": "none",
    "new_values": "map_values",
    "unsupported": "refer",
    "shape": "retrain",
    "level": "recalibrate",
    "moved": "retrain",
}
"""Remedy by cause, the first to mend first: a fault of a source moves the score too."""
ASKS_FOR_TRAINING: frozenset[Remedy] = frozenset({"retrain", "recalibrate"})
"""Calibration is a step of training, so both ask for the training job."""
WHY: dict[Cause, str] = {
    "source": "retraining would not mend this. Most of {names} is missing, or in one bin that few development loans "
    "had: look for a fault, another unit or another code in the source",
    "new_values": "{names} has values that no development loan had. Map them to known ones in the contract",
    "unsupported": "{names} has values that too few development loans had to learn from. Refer such applications to a "
    "person (`when_missing: refer`)",
    "shape": "the scores differ in more than their level. The loans are others than those of development",
    "level": "the scores moved as a whole, by {shift:+.2f} log-odds, and keep their shape",
    "moved": "{names} moved within the values that the model knows",
}


@dataclass(frozen=True)
class _Found:
    variable: VariableDrift
    cause: Cause
    shift: float = 0.0


def assess(
    reference: Reference,
    features: pl.DataFrame,
    scores: Floats,
    policy: DriftPolicy,
    design: Design,
    shares: Mapping[str, float] | None = None,
) -> DriftTable:
    """`drift_table` with the remedy of its verdict.

    Args:
        reference, features, scores, policy, shares: as for `drift_table`.
        design: of the model. It knows which levels, and which missing values, training learned.
    """
    table = drift_table(reference, features, scores, policy, shares)
    remedy, why = _remedy(reference, table, scores, policy, design)
    return replace(table, remedy=remedy, remedy_reason=why)


def score_shift(reference: VariableReference, scores: Floats) -> tuple[float, float]:
    """How far the level of the scores moved, and what remains of their drift.

    The level is the common shift of the log-odds that leaves the smallest PSI.

    Args:
        reference: of the scores, with edges that are probabilities.
        scores: probability of default, shape (rows,).

    Returns:
        The shift in log-odds, and the PSI without it.
    """
    ordered = np.sort(_log_odds(scores))
    edges = _log_odds(np.array(reference.edges))
    below = ordered.searchsorted(edges[None, :] + SHIFTS[:, None], side="right")
    ends = np.full((len(SHIFTS), 1), len(ordered))
    counts = np.diff(np.concatenate((np.zeros_like(ends), below, ends), axis=1), axis=1)
    before = np.array(reference.counts[:-1])
    left = [psi(before, row) for row in counts]
    best = int(np.argmin(left))
    return float(SHIFTS[best]), left[best]


def _remedy(
    reference: Reference, table: DriftTable, scores: Floats, policy: DriftPolicy, design: Design
) -> tuple[Remedy, str]:
    if table.verdict == "unknown":
        return "none", "Not assessable: too few rows."
    if table.verdict == "ok":
        return "none", "Nothing to mend."
    deciding = _deciding(table, policy)
    pairs = zip(table.variables, reference.variables, strict=True)
    found = [_cause(variable, bins, scores, design) for variable, bins in pairs if variable in deciding]
    for cause, remedy in MEND.items():
        same = [one for one in found if one.cause == cause]
        if same:
            return remedy, f"{_sentence(cause, same)}.{_also(found, cause)}{_light(table, policy)}"
    return "none", "Nothing to mend."


def _deciding(table: DriftTable, policy: DriftPolicy) -> list[VariableDrift]:
    """The variables that made the verdict; those with a small share of the model only if no other one did."""
    drifting = ("critical",) if table.verdict == "critical" else ("critical", "warning")
    found = [v for v in table.variables if v.status in drifting]
    heavy = [v for v in found if v.role == "score" or v.share is None or v.share >= policy.min_feature_share]
    return heavy or found


def _cause(variable: VariableDrift, reference: VariableReference, scores: Floats, design: Design) -> _Found:
    if variable.role == "score":
        if reference.kind != "number":
            return _Found(variable, "shape")
        shift, left = score_shift(reference, scores)
        return _Found(variable, "level" if left < variable.warning else "shape", shift)
    before = np.array(reference.counts)
    batch = np.rint(np.array(variable.batch) * len(scores)).astype(np.int64)
    unseen, few = _without_support(reference, design)
    gained = np.array(variable.batch) - np.array(variable.reference)
    unusual = np.array(variable.reference) < SOURCE_BEFORE
    unusual[-1] = True  # more missing values are a fault, however many there were
    if gained[unseen].sum() > 0 and _psi_without(unseen, before, batch) < variable.warning:
        return _Found(variable, "new_values")
    if gained[unusual & ~unseen].max(initial=0.0) >= SOURCE_GAIN:
        return _Found(variable, "source")
    if gained[few].sum() > 0 and _psi_without(unseen | few, before, batch) < variable.warning:
        return _Found(variable, "unsupported")
    return _Found(variable, "moved")


def _without_support(reference: VariableReference, design: Design) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which bins hold values that no development loan had, and which hold known ones that training did not learn."""
    unseen, few = np.zeros((2, len(reference.counts)), dtype=bool)
    unseen[-2] = reference.kind != "number"
    if reference.kind == "category":
        levels = len(reference.levels)
        known = pl.Series(reference.name, [*reference.levels, *reference.rare], dtype=pl.String)
        not_learned = design.not_seen(known).to_numpy()
        few[:levels] = not_learned[:levels]
        few[levels] = bool(reference.rare) and not_learned[levels:].mean() > 0.5
    missing = pl.Series(reference.name, [None], dtype=pl.String if reference.kind == "category" else pl.Float64)
    few[-1] = design.not_seen(missing)[0]
    return unseen, few


def _psi_without(bins: NDArray[np.bool_], before: NDArray[np.int64], batch: NDArray[np.int64]) -> float:
    """PSI of the loans outside of some bins; 0 where a side has none."""
    kept, now = before[~bins], batch[~bins]
    return psi(kept, now) if kept.sum() and now.sum() else 0.0


def _sentence(cause: Cause, found: Sequence[_Found]) -> str:
    names = ", ".join(one.variable.name for one in found)
    told = WHY[cause].format(names=names, shift=found[0].shift)
    return told[0].upper() + told[1:] if cause in ("source", "shape", "level") else told


def _also(found: Sequence[_Found], cause: Cause) -> str:
    """The other causes, which the next report tells of once the first one is mended."""
    others = {one.cause: MEND[one.cause] for one in found if MEND[one.cause] != MEND[cause]}
    named = [f"{one.variable.name} ({others[one.cause]})" for one in found if one.cause in others]
    return f" Then see {', '.join(named)}." if named else ""


def _light(table: DriftTable, policy: DriftPolicy) -> str:
    light = [
        f"{v.name} ({v.share:.1%})"
        for v in table.with_status("critical")
        if v.share is not None and v.role == "feature" and v.share < policy.min_feature_share
    ]
    told = "These critical features have too small a share of the model to decide alone"
    return f" {told}: {', '.join(light)}." if light else ""


def _log_odds(probability: Floats) -> Floats:
    inside = np.clip(probability, 1e-9, 1 - 1e-9)
    return np.log(inside / (1 - inside))

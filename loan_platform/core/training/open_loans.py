"""Whether the known loans of a window are like its open ones, whose outcomes may be other."""

from collections.abc import Iterator
from statistics import NormalDist

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loan_platform.core.book.parts.features import Feature
from loan_platform.core.evaluation.evaluation_report import OpenWindowReport
from loan_platform.core.evaluation.metrics import auc
from loan_platform.core.training.splits import LoanSplit

MIN_COMPARED = 20  # loans of a side
UNLIKE = 0.1  # distance of an AUC from 0.5 from which the two sides differ
FALSE_ALARMS = 0.01  # of a window whose two sides are alike, by chance
MAX_COMPARED = 20_000  # loans of a side, evenly spread
MAX_LEVELS = 50


def open_windows(split: LoanSplit, loans: pl.DataFrame, features: tuple[Feature, ...]) -> tuple[OpenWindowReport, ...]:
    """Compare each part of a split with the open loans of its months.

    Args:
        split: of these loans.
        loans: their features.
        features: that are compared.
    """
    return tuple(
        OpenWindowReport(
            part=part,
            known=len(split.known_rows(part)),
            open_loans=len(rows),
            unlike=unlike(_sample(loans, split.known_rows(part)), _sample(loans, rows), features),
        )
        for part, rows in split.open_rows.items()
        if len(rows) >= MIN_COMPARED
    )


def unlike(known: pl.DataFrame, still_open: pl.DataFrame, features: tuple[Feature, ...]) -> dict[str, float]:
    """The features in which two sets of loans differ, the greatest difference first.

    Each feature is tested by its ranks (H. Mann and D. Whitney, 1947), the missing values of a number and each level of
    a category as an indicator. So many tests make few false alarms, because each has its share of `FALSE_ALARMS`
    (C. Bonferroni, 1936). The standard error is that without ties, which is the greatest.

    Args:
        known: features of the loans with an outcome.
        still_open: of those without.
        features: that are compared.

    Returns:
        AUC by feature, as in `OpenWindowReport`.
    """
    found = [pair for feature in features for pair in _areas(feature, known[feature.name], still_open[feature.name])]
    z = NormalDist().inv_cdf(1 - FALSE_ALARMS / 2 / max(len(found), 1))
    told = {name: area for name, area, error in found if abs(area - 0.5) >= max(UNLIKE, z * error)}
    return dict(sorted(told.items(), key=lambda item: (-abs(item[1] - 0.5), item[0])))


def _areas(feature: Feature, known: pl.Series, still_open: pl.Series) -> Iterator[tuple[str, float, float]]:
    """Name, AUC and its standard error of each test of a feature."""
    if feature.kind == "number":
        yield from _area(feature.name, known.drop_nulls().to_numpy(), still_open.drop_nulls().to_numpy())
        yield from _share(f"{feature.name}: missing", known.is_null(), still_open.is_null())
        return
    levels = pl.concat([known, still_open]).value_counts().sort("count", feature.name, descending=[True, False])
    for level in levels[feature.name].head(MAX_LEVELS):
        name = f"{feature.name}: {'missing' if level is None else level}"
        yield from _share(name, known.eq_missing(level), still_open.eq_missing(level))


def _area(name: str, known: NDArray[np.float64], still_open: NDArray[np.float64]) -> Iterator[tuple[str, float, float]]:
    if min(len(known), len(still_open)) >= MIN_COMPARED:
        side = np.r_[np.zeros(len(known)), np.ones(len(still_open))]
        yield name, auc(side, np.r_[known, still_open]), _error(len(known), len(still_open))


def _share(name: str, known: pl.Series, still_open: pl.Series) -> Iterator[tuple[str, float, float]]:
    if min(len(known), len(still_open)) >= MIN_COMPARED:
        more = int(still_open.sum()) / len(still_open) - int(known.sum()) / len(known)
        yield name, 0.5 + more / 2, _error(len(known), len(still_open))


def _error(known: int, still_open: int) -> float:
    return ((known + still_open + 1) / (12 * known * still_open)) ** 0.5


def _sample(loans: pl.DataFrame, rows: NDArray[np.int64]) -> pl.DataFrame:
    return loans[rows[:: -(-len(rows) // MAX_COMPARED)]]

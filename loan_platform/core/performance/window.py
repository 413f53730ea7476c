"""The newest loans that can tell a good model from one without any ranking, and their figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import polars as pl

from loan_platform.core.evaluation.bootstrap import Interval, Z
from loan_platform.core.evaluation.intervals import auc_interval, difference, gini_of
from loan_platform.core.evaluation.metrics import Metrics, evaluate
from loan_platform.core.performance.maturity import MONTH
from loan_platform.core.training.open_loans import MIN_COMPARED

Population = Literal["scored", "approved"]

MIN_FLOOR = 0.1  # of a Gini; a lower one often cannot be told from no ranking by all loans of the past
POWER = 0.8416212335729143  # 80 % quantile of the normal distribution


@dataclass(frozen=True)
class Window:
    """The months that are judged: the first and the last (None without dates), and their loans with known outcomes.

    Attributes:
        open_loans: loans of these months whose outcome is not known yet.
        open_rank: share of pairs of an open loan and a known one in which the open one has the higher probability (an
            AUC), with its interval; None below 20 open loans.
        metrics: None where all outcomes are the same, or none is known.
        gini: with its 95 % interval.
    """

    first: date | None
    last: date | None
    known: int
    defaults: int
    predicted: float
    chance: float
    open_loans: int
    open_rank: Interval | None
    metrics: Metrics | None
    gini: Interval | None


def newest_window(loans: pl.DataFrame, min_outcomes: int, floor: float | None) -> tuple[Window, Window | None]:
    """The newest months with enough known outcomes, as few as possible, and all months before them.

    Enough are `min_outcomes`, and so many of both kinds that a model without ranking would be told from the floor in
    80 % of cases. If all months have too few, the window is all of them. The floor is left aside where it is not known,
    is not above 0, or is so low that all months could not tell it: old months would hide a wrong default rate.

    Args:
        loans: mature rows of `with_expected` of which an outcome is expected.
        min_outcomes: known outcomes that a verdict needs.
        floor: of the Gini; None where it is not known.
    """
    known = loans.drop_nulls("outcome").group_by(MONTH).agg(pl.len().alias("rows"), pl.col("outcome").sum())
    counted = {month: (rows, defaults) for month, rows, defaults in known.iter_rows()}
    months: list[date | None] = loans[MONTH].unique().sort(nulls_last=True).to_list()
    start, rows, defaults = len(months), 0, 0
    all_rows, all_defaults = (sum(counted.get(month, (0, 0))[of] for month in months) for of in (0, 1))
    is_useful = floor is not None and (floor >= MIN_FLOOR or can_tell(all_defaults, all_rows - all_defaults, floor))
    told = floor if is_useful else None
    while start and not (rows >= min_outcomes and (told is None or can_tell(defaults, rows - defaults, told))):
        start -= 1
        more, bad = counted.get(months[start], (0, 0))
        rows, defaults = rows + more, defaults + bad
    before = months[:start]
    return _window(loans, months[start:]), _window(loans, before) if before else None


def can_tell(defaults: int, repaid: int, floor: float) -> bool:
    """Whether the Gini of a model without ranking would lie clearly below the floor in 80 % of cases.

    Its standard error is 2 sqrt((m + n + 1) / (12 m n)): H. Mann and D. Whitney, 1947.
    """
    if not defaults or not repaid:
        return False
    error = 2 * ((defaults + repaid + 1) / (12 * defaults * repaid)) ** 0.5
    return (Z + POWER) * error <= floor


def change(window: Window, before: Window | None) -> Interval | None:
    """Gini of the window minus that of the months before; None where one of them has none."""
    if before is None or window.gini is None or before.gini is None:
        return None
    return difference(window.gini, before.gini)


def _window(loans: pl.DataFrame, months: Sequence[date | None]) -> Window:
    inside = loans.filter(pl.col(MONTH).is_in(pl.Series(months, dtype=pl.Date).implode(), nulls_equal=True))
    known, unknown = inside.drop_nulls("outcome"), inside.filter(pl.col("outcome").is_null())
    outcome, probability = known["outcome"].to_numpy(), known["probability"].to_numpy()
    both = known["outcome"].n_unique() == 2
    compared = len(unknown) >= MIN_COMPARED and len(known) >= MIN_COMPARED
    return Window(
        first=months[0] if months else None,
        last=months[-1] if months else None,
        known=len(known),
        defaults=int(outcome.sum()),
        predicted=float(probability.sum()),
        chance=float((probability * (1 - probability)).sum()) ** 0.5,
        open_loans=len(unknown),
        open_rank=auc_interval(inside["outcome"].is_null(), inside["probability"]) if compared else None,
        metrics=evaluate(outcome, probability) if both else None,
        gini=gini_of(auc_interval(outcome, probability)) if both else None,
    )

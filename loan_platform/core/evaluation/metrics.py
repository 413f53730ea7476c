"""Metrics of how well a probability of default ranks and how well it is calibrated.

`target` is 1 for default and 0 for repaid, `probability` is the predicted probability of default, both of shape [n].
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

ECE_BINS = 10
DECILES = 10


@dataclass(frozen=True)
class Metrics:
    """Metrics of a model on one set of loans. Rates and errors are fractions."""

    rows: int
    defaults: int
    base_rate: float
    mean_probability: float
    auc: float
    gini: float
    ks: float
    brier: float
    brier_base: float
    log_loss: float
    ece: float


def evaluate(target: ArrayLike, probability: ArrayLike) -> Metrics:
    """All metrics of a set of loans.

    - Gini is 2 AUC - 1.
    - KS is the largest distance between the score distributions of defaulted and repaid loans.
    - `brier_base` is the Brier score of the base rate.
    - ECE is the mean distance of predicted and observed rate over 10 bins of equal size (Naeini et al. 2015). Equal
      probabilities share a bin, so no figure depends on the order of the loans.

    Raises:
        ValueError: empty, of different lengths, or only one class.
    """
    y, p = _arrays(target, probability)
    rate, area = float(y.mean()), auc(y, p)
    clipped = np.clip(p, 1e-15, 1 - 1e-15)
    return Metrics(
        rows=len(y),
        defaults=int(y.sum()),
        base_rate=rate,
        mean_probability=float(p.mean()),
        auc=area,
        gini=2 * area - 1,
        ks=ks(y, p),
        brier=float(np.mean((p - y) ** 2)),
        brier_base=rate * (1 - rate),
        log_loss=float(-np.mean(np.where(y == 1, np.log(clipped), np.log1p(-clipped)))),
        ece=ece(y, p),
    )


def auc(target: ArrayLike, score: ArrayLike) -> float:
    """Area under the ROC curve by ranks (Mann-Whitney). A tie counts as half.

    Raises:
        ValueError: empty, of different lengths, or only one class.
    """
    y, s = _arrays(target, score)
    good, bad = score_steps(y, s)
    below = np.cumsum(good) - good
    return float(np.sum(bad * (below + good / 2)) / (good.sum() * bad.sum()))


def ks(target: ArrayLike, score: ArrayLike) -> float:
    """Kolmogorov-Smirnov distance between the scores of defaulted and of repaid loans."""
    y, s = _arrays(target, score)
    good, bad = score_steps(y, s)
    return float(np.abs(np.cumsum(good) / good.sum() - np.cumsum(bad) / bad.sum()).max())


def ece(target: ArrayLike, probability: ArrayLike, bins: int = ECE_BINS) -> float:
    """Expected calibration error over bins of equal size."""
    points = calibration_points(target, probability, bins)
    gap = np.abs((points["predicted"] - points["observed"]).to_numpy())
    return float(np.average(gap, weights=points["rows"].to_numpy()))


def bin_starts(ordered: Floats, bins: int = ECE_BINS) -> NDArray[np.int64]:
    """Where each of `bins` bins of about equal size starts; equal values stay in the bin of the first of them.

    Args:
        ordered: sorted values, shape [n].
    """
    wanted = np.linspace(0, len(ordered), bins + 1).astype(np.int64)[:-1]
    ends_of_ties = np.searchsorted(ordered, ordered[wanted], side="right")
    tied = np.searchsorted(ordered, ordered[wanted], side="left") < wanted
    starts = np.unique(np.where(tied, ends_of_ties, wanted))
    return starts[starts < len(ordered)].astype(np.int64)


def calibration_points(target: ArrayLike, probability: ArrayLike, bins: int = ECE_BINS) -> pl.DataFrame:
    """Mean predicted and observed rate of `bins` bins of about equal size, in order of probability.

    Loans of equal probability stay together, in the bin of the first of them. A bin without loans is left out.

    Returns:
        Columns predicted, observed, rows.
    """
    y, p = _arrays(target, probability)
    order = np.argsort(p, kind="stable")
    starts = bin_starts(p[order], bins)
    rows = np.diff(np.append(starts, len(y)))
    return pl.DataFrame(
        {
            "predicted": np.add.reduceat(p[order], starts) / rows,
            "observed": np.add.reduceat(y[order], starts) / rows,
            "rows": rows,
        }
    )


def lift_by_decile(target: ArrayLike, probability: ArrayLike) -> pl.DataFrame:
    """Default rate of each tenth of the loans divided by the base rate, riskiest tenth first.

    Loans of equal probability stay together. So with ties a row may be several tenths, and is named by the first.

    Returns:
        Columns decile (1 = riskiest), rows, observed, lift, captured (share of all defaults down to here).
    """
    y, p = _arrays(target, probability)
    points = calibration_points(y, p, DECILES).reverse()
    defaults = points["observed"] * points["rows"]
    return pl.DataFrame(
        {
            "decile": (points["rows"].cum_sum() - points["rows"]) * DECILES // len(y) + 1,
            "rows": points["rows"],
            "observed": points["observed"],
            "lift": points["observed"] / float(y.mean()),
            "captured": defaults.cum_sum() / defaults.sum(),
        }
    )


def by_vintage(vintage: pl.Series, target: ArrayLike, probability: ArrayLike) -> pl.DataFrame:
    """Metrics of each month of issue.

    Returns:
        Columns vintage (first of the month), rows, observed, predicted, auc (null where only one class), ece.
    """
    frame = pl.DataFrame(
        {
            "vintage": vintage.dt.truncate("1mo"),
            "y": np.asarray(target, float),
            "p": np.asarray(probability, float),
        }
    )
    months = [
        {
            "vintage": month,
            "rows": loans.height,
            "observed": loans["y"].mean(),
            "predicted": loans["p"].mean(),
            "auc": auc(loans["y"], loans["p"]) if loans["y"].n_unique() == 2 else None,
            "ece": ece(loans["y"], loans["p"]) if loans["y"].n_unique() == 2 else None,
        }
        for (month,), loans in frame.sort("vintage").group_by("vintage", maintain_order=True)
    ]
    schema = dict.fromkeys(("observed", "predicted", "auc", "ece"), pl.Float64)
    return pl.DataFrame(months, schema={"vintage": pl.Date, "rows": pl.Int64, **schema})


def score_steps(y: Floats, s: Floats) -> tuple[Floats, Floats]:
    """Repaid and defaulted loans at each distinct score, in rising order of the score."""
    order = np.argsort(s, kind="stable")
    ordered = s[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    total = np.diff(np.append(starts, len(s))).astype(np.float64)
    bad = np.add.reduceat(y[order], starts)
    return total - bad, bad


def _arrays(target: ArrayLike, score: ArrayLike) -> tuple[Floats, Floats]:
    y, s = np.asarray(target, np.float64), np.asarray(score, np.float64)
    if y.shape != s.shape or y.ndim != 1 or not len(y):
        raise ValueError(f"{y.shape} outcomes and {s.shape} scores: both must be one array of the same length")
    defaults = int(y.sum())
    if defaults in (0, len(y)):
        raise ValueError(f"{defaults} of {len(y)} loans defaulted: a metric needs both classes")
    return y, s

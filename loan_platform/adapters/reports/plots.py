"""Plots of a model: arrays and tables in, PNG bytes out. The same input gives the same bytes.

`target` is 1 for default and 0 for repaid. `probability` is the predicted probability of default. Both have shape [n].
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from loan_platform.adapters.reports.canvas import BLUE, ORANGE, RED, SOFT, draw, draw_bars, format_percent
from loan_platform.core.evaluation.curves import pr_curve, roc_curve
from loan_platform.core.evaluation.intervals import Counts, auc_interval_of_counts
from loan_platform.core.evaluation.metrics import auc, calibration_points, ece
from loan_platform.core.monitoring.psi import DriftTable
from loan_platform.core.scoring.decisions import DecisionRule, ProfitCurve

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_Z = 1.959963984540054  # 97.5 % quantile of the normal distribution
_STATUS_COLORS = {"ok": BLUE, "warning": ORANGE, "critical": RED, "unknown": SOFT}
_TOP = 20
_SCORE_BINS = 40


def roc_plot(target: ArrayLike, probability: ArrayLike) -> bytes:
    """ROC curve."""
    curve = roc_curve(target, probability)

    def content(axes: "Axes") -> None:
        axes.plot([0, 1], [0, 1], color=SOFT, linewidth=1, linestyle="--", label="chance")
        axes.plot(curve["false_positive_rate"], curve["true_positive_rate"], color=BLUE, label="model")
        axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
        axes.set(xlabel="Repaid loans above the cut-off", ylabel="Defaulted loans above the cut-off")
        format_percent(axes, "both")
        axes.legend(loc="lower right")

    return draw(f"ROC, AUC {auc(target, probability):.3f}", content, square=True)


def pr_plot(target: ArrayLike, probability: ArrayLike) -> bytes:
    """Precision by recall, with the base rate."""
    curve = pr_curve(target, probability)
    rate = float(np.mean(np.asarray(target, np.float64)))

    def content(axes: "Axes") -> None:
        axes.axhline(rate, color=SOFT, linewidth=1, linestyle="--", label=f"base rate {rate:.1%}")
        axes.plot(curve["recall"], curve["precision"], color=BLUE, label="model")
        axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
        axes.set(xlabel="Share of all defaults above the cut-off", ylabel="Default rate above the cut-off")
        format_percent(axes, "both")
        axes.legend(loc="upper right")

    return draw("Precision and recall", content, square=True)


def calibration_plot(target: ArrayLike, probability: ArrayLike) -> bytes:
    """Observed against predicted default rate in ten groups of equal size, with Wilson's 95 % intervals."""
    points = calibration_points(target, probability)
    predicted, observed, rows = (points[name].to_numpy() for name in ("predicted", "observed", "rows"))
    low, high = _wilson(observed, rows)
    top = 1.08 * float(max(high.max(), predicted.max()))

    def content(axes: "Axes") -> None:
        axes.plot([0, top], [0, top], color=SOFT, linewidth=1, linestyle="--", label="perfect")
        error = np.vstack([observed - low, high - observed])
        label = f"ten groups of {int(rows.min()):,} loans"
        axes.errorbar(predicted, observed, error, fmt="o-", color=BLUE, capsize=3, markersize=5, label=label)
        axes.set(xlim=(0, top), ylim=(0, top), aspect="equal")
        axes.set(xlabel="Predicted default rate", ylabel="Observed default rate")
        format_percent(axes, "both")
        axes.legend(loc="upper left")

    return draw(f"Calibration, ECE {ece(target, probability):.4f}", content, square=True)


def score_plot(target: ArrayLike, probability: ArrayLike) -> bytes:
    """Distribution of the probability of default of repaid and of defaulted loans."""
    y, p = np.asarray(target, np.float64), np.asarray(probability, np.float64)
    edges = np.linspace(0, max(float(np.quantile(p, 0.999)), 1e-9), _SCORE_BINS + 1)

    def content(axes: "Axes") -> None:
        for outcome, name, color in ((0, "repaid", BLUE), (1, "defaulted", RED)):
            values = p[y == outcome]
            shares = np.histogram(values, edges)[0] / max(len(values), 1)
            axes.stairs(shares, edges, fill=True, color=color, alpha=0.25)
            axes.stairs(shares, edges, color=color, linewidth=1.8, label=f"{name} ({len(values):,})")
        axes.set(xlabel="Probability of default", ylabel="Share of the loans", xlim=(0, edges[-1]))
        axes.set_ylim(bottom=0)
        format_percent(axes, "both")
        axes.legend(loc="upper right")

    return draw("Probability of default by outcome", content)


def profit_plot(curve: ProfitCurve, rule: DecisionRule) -> bytes:
    """Expected and realised profit by cut-off, with the cut-offs of the decision policy.

    Args:
        curve: profit as a share of the amount applied for.
        rule: cut-offs as probabilities of default.
    """
    last = float(np.interp(0.995, curve.approved, curve.cut_offs))

    def content(axes: "Axes") -> None:
        axes.axhline(0, color=SOFT, linewidth=1)
        axes.axvspan(
            rule.approve_below, rule.decline_from, color=ORANGE, alpha=0.15, linewidth=0, label="manual review"
        )
        axes.plot(curve.cut_offs[:-1], curve.expected[:-1], color=BLUE, label="expected")
        axes.plot(curve.cut_offs[:-1], curve.realised[:-1], color=SOFT, linewidth=1.4, label="realised")
        axes.set(
            xlabel="Cut-off: loans below this probability of default are approved",
            xlim=(0, max(last, rule.decline_from)),
        )
        axes.set_ylabel("Profit, share of the amount applied for")
        format_percent(axes, "both")
        axes.legend(loc="lower right")

    return draw(
        f"Profit by cut-off: approve below {rule.approve_below:.1%}, decline from {rule.decline_from:.1%}", content
    )


def importance_plot(importance: Mapping[str, float]) -> bytes:
    """The twenty most important features, the most important on top."""
    top = sorted(importance.items(), key=lambda item: (-item[1], item[0]))[:_TOP]
    names, values = [name for name, _ in top], [value for _, value in top]

    def content(axes: "Axes") -> None:
        axes.set_xlabel("Importance")

    return draw_bars("Feature importance", names, values, [BLUE] * len(top), content)


def vintage_plot(vintages: pl.DataFrame) -> bytes:
    """AUC by month of issue with 95 % intervals. Months with only one outcome are left out.

    Args:
        vintages: columns vintage (date), rows, observed (default rate) and auc, as `by_vintage` returns them.
    """
    known = vintages.drop_nulls("auc").sort("vintage")
    months = [f"{month:%Y-%m}" for month in known["vintage"]]
    values, rows = known["auc"].to_numpy(), known["rows"].to_numpy()
    defaults = known["observed"].to_numpy() * rows
    counts = [Counts(int(bad), int(all_ - bad)) for bad, all_ in zip(defaults.round(), rows, strict=True)]
    found = [auc_interval_of_counts(float(area), of) for area, of in zip(values, counts, strict=True)]
    error = [[one.estimate - one.low for one in found], [one.high - one.estimate for one in found]]

    def content(axes: "Axes") -> None:
        at, every = np.arange(len(months)), max(1, -(-len(months) // 12))
        axes.axhline(0.5, color=SOFT, linewidth=1, linestyle="--")
        axes.errorbar(at, values, error, fmt="o-", color=BLUE, capsize=3, markersize=5)
        axes.set_xticks(at[::every], months[::every], rotation=45, ha="right")
        axes.set(xlabel="Month of issue", ylabel="AUC with 95 % interval")

    return draw("AUC by vintage", content)


def drift_plot(table: DriftTable) -> bytes:
    """PSI of the score and of the most drifted features, with their thresholds."""
    features = sorted((v for v in table.variables if v.role == "feature"), key=lambda v: (-v.psi, v.name))
    shown = [*(v for v in table.variables if v.role == "score"), *features[: _TOP - 1]]
    thresholds = {
        "warning": (ORANGE, [v.warning for v in shown]),
        "critical": (RED, [v.critical for v in shown]),
    }

    def content(axes: "Axes") -> None:
        for name, (color, values) in thresholds.items():
            at = range(len(values))
            axes.scatter(values, at, marker="|", s=150, linewidths=5, color="white", zorder=3)
            axes.scatter(values, at, marker="|", s=110, linewidths=2.2, color=color, zorder=4, label=name)
        axes.set_xlim(left=0)
        axes.set_xlabel("PSI against the development sample")
        axes.legend(loc="lower right", title="threshold")

    title = f"Population stability index, {table.rows:,} rows: {table.verdict}"
    colors = [_STATUS_COLORS[v.status] for v in shown]
    return draw_bars(title, [v.name for v in shown], [v.psi for v in shown], colors, content)


def candidates_plot(candidates: Sequence[tuple[str, float, float, float]], chosen: str) -> bytes:
    """AUC of the candidates with 95 % intervals.

    Args:
        candidates: name, AUC, and lower and upper end of the 95 % interval of each.
        chosen: name of the chosen candidate.
    """

    def content(axes: "Axes") -> None:
        for at, (name, value, low, high) in enumerate(candidates):
            color, error = (RED if name == chosen else BLUE), [[value - low], [high - value]]
            axes.errorbar(value, at, xerr=error, fmt="o", color=color, capsize=4)
            axes.annotate(f"{value:.4f}", (value, at), (0, 7), textcoords="offset points", ha="center", color=color)
        names = [f"{name} (chosen)" if name == chosen else name for name, *_ in candidates]
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.5, -0.8)
        axes.set_xlabel("AUC with 95 % interval")

    return draw("Candidates", content, height=1.2 + 0.45 * max(len(candidates), 1))


def _wilson(rate: NDArray[np.float64], rows: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ends of Wilson's 95 % score interval of a proportion, each of the shape of `rate` (Wilson 1927)."""
    centre = (rate + _Z**2 / (2 * rows)) / (1 + _Z**2 / rows)
    half = _Z * np.sqrt(rate * (1 - rate) / rows + _Z**2 / (4 * rows**2)) / (1 + _Z**2 / rows)
    return np.minimum(centre - half, rate), np.maximum(centre + half, rate)

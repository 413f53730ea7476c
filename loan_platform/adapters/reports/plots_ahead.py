"""Plots of how calibration and ranking held on later months, before the test set: reports in, PNG bytes out."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from loan_platform.adapters.reports.canvas import BLUE, RED, draw, format_percent
from loan_platform.core.evaluation.forward_report import AgeReport, OriginReport

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_LABELS = 12


def calibration_ahead_plot(origins: Sequence[OriginReport]) -> bytes:
    """Default rate with its 95 % interval, and the mean PD, of the months after each origin.

    Args:
        origins: at least one, in the order of time.
    """
    observed = np.array([row.observed for row in origins])
    predicted = np.array([row.mean_probability for row in origins])
    low = np.array([row.rate_ratio.low for row in origins]) * predicted
    high = np.array([row.rate_ratio.high for row in origins]) * predicted

    lowest, highest = float(min(low.min(), predicted.min())), float(max(high.max(), predicted.max()))

    def content(axes: "Axes") -> None:
        at, every = np.arange(len(origins)), -(-len(origins) // _MOST_LABELS)
        error = np.vstack([observed - low, high - observed]).clip(0)
        label = "default rate, 95 % interval"
        axes.errorbar(at, observed, error, fmt="o", color=BLUE, capsize=3, markersize=5, label=label)
        axes.plot(at, predicted, "D", color=RED, markersize=5, label="mean probability of default")
        axes.set_xticks(at[::every], [row.first for row in origins[::every]], rotation=45, ha="right")
        axes.set(xlabel="First of the months ahead", ylim=(0.85 * lowest, 1.15 * highest))
        format_percent(axes, "y")
        axes.legend(loc="upper center", ncols=2)

    mean = np.mean([row.ece for row in origins])
    return draw(f"Calibration ahead, mean ECE {mean:.4f}", content)


def ageing_plot(ages: Sequence[AgeReport]) -> bytes:
    """AUC by months ahead.

    Args:
        ages: at least one, in the order of time.
    """
    values = [age.auc for age in ages]

    def content(axes: "Axes") -> None:
        at = np.arange(len(ages))
        axes.plot(at, values, "o-", color=BLUE, markersize=5)
        for step, value in zip(at, values, strict=True):
            axes.annotate(f"{value:.4f}", (step, value), (0, 7), textcoords="offset points", ha="center", color=BLUE)
        axes.set_xticks(at, [f"{age.first} to {age.last}" for age in ages])
        axes.set(xlabel="Months since the end of the training loans", ylabel="AUC")
        axes.margins(x=0.08)
        axes.set_ylim(min(values) - 0.02, max(values) + 0.02)

    return draw("AUC by age of the model", content)

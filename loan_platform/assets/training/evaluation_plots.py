"""The plots of an evaluation."""

import polars as pl

from loan_platform.adapters.storage.model_store import StoredModel
from loan_platform.core.book.constants import TARGET
from loan_platform.core.evaluation.evaluation_report import Evaluation


def evaluation_plots(model: StoredModel, found: Evaluation) -> dict[str, bytes]:
    """PNG of each plot, by name."""
    from loan_platform.adapters.reports import plots

    predictions, scoring = model.frame("test_predictions"), model.bundle().model
    target, probability = predictions[TARGET].to_numpy(), predictions[found.chosen].to_numpy()
    areas = [(c.family, c.auc, c.auc_low, c.auc_high) for c in found.candidates]
    drawn = {
        "roc": plots.roc_plot(target, probability),
        "precision_recall": plots.pr_plot(target, probability),
        "calibration": plots.calibration_plot(target, probability),
        "score_distribution": plots.score_plot(target, probability),
        "importance": plots.importance_plot(scoring.importance),
        "profit": plots.profit_plot(model.training().profit, scoring.policy.decision),
        "candidates": plots.candidates_plot(areas, found.chosen),
    }
    if found.vintages:
        months = pl.DataFrame([vintage.model_dump() for vintage in found.vintages])
        drawn["auc_by_vintage"] = plots.vintage_plot(months.with_columns(pl.col("vintage").str.to_date("%Y-%m")))
    return drawn

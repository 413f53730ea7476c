import base64
import io
from collections.abc import Callable
from datetime import date

import numpy as np
import polars as pl
import pytest

from loan_platform.adapters.reports.canvas import markdown_image
from loan_platform.adapters.reports.plots import (
    calibration_plot,
    candidates_plot,
    drift_plot,
    importance_plot,
    pr_plot,
    profit_plot,
    roc_plot,
    score_plot,
    vintage_plot,
)
from loan_platform.adapters.reports.plots_ahead import ageing_plot, calibration_ahead_plot
from loan_platform.core.book.decision_policies import DecisionPolicy
from loan_platform.core.book.monitoring_policies import DriftPolicy
from loan_platform.core.evaluation.bootstrap import Interval
from loan_platform.core.evaluation.forward_report import AgeReport, OriginReport
from loan_platform.core.evaluation.metrics import by_vintage
from loan_platform.core.monitoring.psi import DriftTable, drift_table
from loan_platform.core.monitoring.reference import Reference
from loan_platform.core.scoring.decisions import decision_rule, profit_curve

DRAW = np.random.default_rng(1)
PROBABILITY = DRAW.beta(2, 9, 4_000)
TARGET = (DRAW.random(4_000) < PROBABILITY).astype(float)
MONTHS = pl.Series([date(2015 + i % 4, 1 + i % 12, 1) for i in range(4_000)])
EARNS = DecisionPolicy()
CURVE = profit_curve(PROBABILITY, TARGET, np.ones(4_000), EARNS)
CANDIDATES = [("scorecard", 0.70, 0.69, 0.71), ("blend", 0.71, 0.70, 0.72)]
ORIGINS = [
    OriginReport(
        first=f"20{10 + i // 6}-{1 + 2 * (i % 6):02}",
        last="2012-12",
        rows=1_000,
        defaults=100 + 5 * i,
        mean_probability=0.1,
        rate_ratio=Interval(1 + 0.05 * i, 0.8, 1.5),
        ece=0.01,
    )
    for i in range(9)
]
AGES = [AgeReport(first=1 + 3 * i, last=3 + 3 * i, rows=900, folds=3, auc=0.71 - 0.01 * i) for i in range(4)]


def drifted() -> DriftTable:
    features = pl.DataFrame({f"feature_{i:02}": DRAW.normal(size=4_000) for i in range(30)})
    reference = Reference.build(features, PROBABILITY)
    return drift_table(reference, features.with_columns(pl.col("feature_07") + 1), PROBABILITY, DriftPolicy())


PLOTS: dict[str, Callable[[], bytes]] = {
    "roc": lambda: roc_plot(TARGET, PROBABILITY),
    "pr": lambda: pr_plot(TARGET, PROBABILITY),
    "calibration": lambda: calibration_plot(TARGET, PROBABILITY),
    "score": lambda: score_plot(TARGET, PROBABILITY),
    "profit": lambda: profit_plot(CURVE, decision_rule(EARNS, CURVE)),
    "importance": lambda: importance_plot({f"feature {i}": 1 / (1 + i) for i in range(40)}),
    "vintage": lambda: vintage_plot(by_vintage(MONTHS, TARGET, PROBABILITY)),
    "calibration_ahead": lambda: calibration_ahead_plot(ORIGINS),
    "ageing": lambda: ageing_plot(AGES),
    "candidates": lambda: candidates_plot(CANDIDATES, "blend"),
}


def size(png: bytes) -> tuple[int, int]:
    from PIL import Image

    return Image.open(io.BytesIO(png)).size


@pytest.mark.parametrize("name", PLOTS)
def test_a_plot_is_a_small_png_and_the_same_twice(name: str) -> None:
    png = PLOTS[name]()
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert len(png) <= 60_000
    assert size(png)[0] in (520, 700)
    assert PLOTS[name]() == png
    assert b"Software" not in png
    assert b"tIME" not in png


def test_the_drift_plot_shows_the_score_and_nineteen_features() -> None:
    table = drifted()
    png = drift_plot(table)
    assert size(png) == (700, 590)
    assert len(png) <= 60_000
    assert drift_plot(table) == png


def test_other_input_gives_another_picture() -> None:
    assert roc_plot(TARGET, PROBABILITY) != roc_plot(TARGET, -PROBABILITY)


def test_nothing_to_show_is_still_a_picture() -> None:
    empty = DriftTable(0, 100, "unknown", ())
    none = by_vintage(MONTHS.head(0), [], [])
    assert all(png.startswith(b"\x89PNG") for png in (drift_plot(empty), importance_plot({}), vintage_plot(none)))


def test_the_image_is_inline_markdown() -> None:
    text = markdown_image(b"\x89PNG", "ROC curve")
    assert text.startswith("![ROC curve](data:image/png;base64,")
    assert base64.b64decode(text.removesuffix(")").split(",")[1]) == b"\x89PNG"

"""Duration of reason codes, from features to reasons, and throughput of the tree contributions.

    python benchmarks/reasons.py .loan_platform/lake/lending_club/trained_model/<sha256>/bundle

The rows are the bundle's golden rows, repeated.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import polars as pl
import xgboost

from loan_platform.core.models.blend import BlendModel
from loan_platform.core.models.trees import TreeModel
from loan_platform.core.scoring.bundle import load_bundle
from loan_platform.core.scoring.reasons import Explainer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--rows", type=int, default=50_000)
    arguments = parser.parse_args()
    bundle = load_bundle(arguments.bundle)
    model, golden = bundle.model, bundle.golden.frame(bundle.model)
    few = model.features(golden)
    many = pl.concat([few] * (arguments.rows // few.height + 1)).head(arguments.rows)
    alone, all_threads = Explainer(replace(model, threads=1)), Explainer(model)
    alone.reasons(few)  # the first call builds its tables
    single = statistics.median(
        seconds(lambda i=i: alone.reasons(few.slice(i, 1))) for i in range(few.height) for _ in range(5)
    )
    bulk = statistics.median(seconds(lambda: all_threads.column(many)) for _ in range(5))
    print(f"model: {model.family}, {len(model.design.columns)} columns")
    print(f"reasons of one row, one thread: {single * 1000:.2f} ms (median of {few.height * 5})")
    print(f"reasons of {many.height:,} rows, {model.threads} threads: {many.height / bulk:,.0f} rows/s (median of 5)")
    fitted = model.model.gradient_boosting if isinstance(model.model, BlendModel) else model.model
    if isinstance(fitted, TreeModel):
        matrix = model.design.matrix(many.head(5_000))
        theirs = statistics.median(seconds(lambda trees=fitted: contributions(trees, matrix)) for _ in range(3))
        ours = statistics.median(seconds(lambda: fitted.contributions(matrix)) for _ in range(3))
        print(f"contributions of the trees, one thread: {5_000 / ours:,.0f} rows/s")
        print(f"the same by XGBoost's pred_contribs: {5_000 / theirs:,.0f} rows/s")


def contributions(model: TreeModel, matrix: object) -> object:
    """XGBoost's own TreeSHAP."""
    return model.loaded.predict(xgboost.DMatrix(matrix, nthread=1), pred_contribs=True)


def seconds(work: Callable[[], object]) -> float:
    """Duration of one call in seconds."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()

"""Made-up typed rows of any contract, over the whole range of each column, with zeros and gaps."""

import datetime as dt
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loan_platform.core.book.column_types import COLUMN_TYPES, NUMBERS
from loan_platform.core.book.parts.columns import Column
from loan_platform.core.book.parts.features import Feature

WIDEST = 1e5  # of a column without a maximum


def limits(column: Column) -> tuple[float, float]:
    """Smallest and largest valid number of a column, at most `WIDEST` in size where the contract has no limit."""
    low = 0.0 if column.minimum is None else column.minimum
    high = max(low + WIDEST, 2 * low) if column.maximum is None else column.maximum
    return low, high


def random_rows(columns: tuple[Column, ...], rows: int, seed: int = 0) -> pl.DataFrame:
    """Typed rows: one value in twenty is missing, one number in ten is zero where zero is valid."""
    rng = np.random.default_rng(seed)
    drawn = {c.name: pl.Series(_draw(c, rows, rng), dtype=COLUMN_TYPES[c.type].dtype, strict=False) for c in columns}
    gaps = {c.name: pl.Series(rng.random(rows) > (0 if c.required else 0.05)) for c in columns}
    return pl.DataFrame(drawn).with_columns(pl.when(gaps[name]).then(pl.col(name)).alias(name) for name in drawn)


def random_target(features: pl.DataFrame, contract_features: tuple[Feature, ...], seed: int = 0) -> NDArray[np.float64]:
    """Defaults (1) and repaid loans (0) by the ranks of the features, each in its direction."""
    rng = np.random.default_rng(seed)
    risk = np.zeros(features.height)
    for feature in contract_features:
        rank = (features[feature.name].rank() / features.height).fill_null(0.5).to_numpy()
        risk += (rank - 0.5) * {"increasing": 1, "decreasing": -1}.get(feature.monotone or "", 0)
    spread = risk.std() or 1.0
    return (rng.random(features.height) < 1 / (1 + np.exp(1.0 - 1.5 * risk / spread))).astype(np.float64)


def _draw(column: Column, rows: int, rng: np.random.Generator) -> list[Any]:
    if column.type in NUMBERS:
        low, high = limits(column)
        # Most values are small, as amounts and counts are.
        values = low + (min(high, low + WIDEST) - low) * rng.random(rows) ** 4
        values = np.where((rng.random(rows) < 0.1) & (low <= 0), 0.0, values)
        return [int(v) for v in np.ceil(values)] if column.type == "integer" else values.tolist()
    if column.type == "boolean":
        return (rng.random(rows) < 0.5).tolist()
    if column.type == "date":
        return [dt.date(1990, 1, 1) + dt.timedelta(days=int(day)) for day in rng.integers(0, 10_000, rows)]
    return rng.choice(list(column.allowed or ("a", "b")), rows).tolist()

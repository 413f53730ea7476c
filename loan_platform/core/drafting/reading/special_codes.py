"""Finds special codes in a column of numbers: -999, 9999 and the like stand for a kind of missing value."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from loan_platform.core.drafting.reading.numbers import NumberStyle, as_numbers

# 96 to 99, 77 and 88, and the same of more digits.
_CODES = frozenset(code for n in range(2, 10) for code in (*range(10**n - 4, 10**n), 10**n // 9 * 7, 10**n // 9 * 8))
_SMALL = range(1, 10)  # of negative codes: -1 to -9
_USUAL_SMALL = range(7, 10)
MIN_ROWS, MIN_LARGE_ROWS = 3, 2
MIN_SHARE = 0.01  # of a number that is no usual code, or not far from the other values
MIN_GAP = 0.1  # of the extent of the other values
MIN_DISTINCT = 10  # other values that show their extent
MAX_SMALL = 3  # different negative numbers; more are a scale below zero
FAR, VERY_FAR = 3, 10  # times the largest of the other values


@dataclass(frozen=True)
class SpecialCode:
    """A number that is no measurement.

    Attributes:
        value: of the code.
        texts: how the file writes it.
        rows: that have it.
        share: of the rows that state something.
    """

    value: int
    texts: tuple[str, ...]
    rows: int
    share: float

    @property
    def suffix(self) -> str:
        """`9999`, or `minus_999`: the end of a name."""
        return f"minus_{-self.value}" if self.value < 0 else str(self.value)


@dataclass(frozen=True)
class _Others:
    """The values that are no codes."""

    low: float
    high: float
    distinct: int
    median_rows: float

    @property
    def size(self) -> float:
        return max(abs(self.low), abs(self.high))


def special_codes(stated: pl.DataFrame, style: NumberStyle) -> tuple[SpecialCode, ...]:
    """Repeated whole numbers apart from all other values, in ascending order.

    Args:
        stated: columns `text` and `count`.
        style: how the numbers are written.
    """
    values = (
        stated.with_columns(value=as_numbers(style))
        .filter(pl.col("value").is_finite())
        .group_by("value")
        .agg(rows=pl.col("count").sum(), texts=pl.col("text").sort())
        .sort("value")
    )
    total = int(values["rows"].sum())
    found = [
        SpecialCode(int(value), tuple(texts), rows, rows / total)
        for value, rows, texts in _possible(values, total).iter_rows()
    ]
    while found:  # what is no code after all is a value that the others are compared with
        others = _others(values, [code.value for code in found])
        kept = [code for code in found if others and _is_apart(code, others, found)]
        if len(kept) == len(found):
            break
        found = kept
    return tuple(found)


def _possible(values: pl.DataFrame, total: int) -> pl.DataFrame:
    value, size = pl.col("value"), pl.col("value").abs()
    usual = size.is_in([float(code) for code in _CODES]) | (-value).is_in([float(code) for code in _SMALL])
    extreme = (value == value.min()) | (value == value.max())
    often = extreme & (pl.col("rows") >= max(MIN_ROWS, MIN_SHARE * total))
    whole = (value == value.round()) & (size < 1e15)
    return values.filter(whole & (pl.col("rows") >= MIN_LARGE_ROWS) & (usual | often))


def _others(values: pl.DataFrame, codes: list[int]) -> _Others | None:
    rest = values.filter(~pl.col("value").is_in([float(code) for code in codes]))
    if rest.is_empty():
        return None
    numbers = rest["value"].to_numpy()
    return _Others(float(numbers[0]), float(numbers[-1]), rest.height, float(np.median(rest["rows"].to_numpy())))


def _is_apart(code: SpecialCode, others: _Others, found: list[SpecialCode]) -> bool:
    if code.value < 0 <= others.low:
        return _is_negative_code(code, others, found)
    if others.low <= code.value <= others.high:
        return False
    if code.rows < MIN_ROWS:
        return False
    size = abs(code.value)
    if size in _CODES and (size >= FAR * max(others.size, 1) or (code.value > 0 >= others.high and others.low < 0)):
        return True
    often = code.share >= MIN_SHARE
    if often and others.distinct >= MIN_DISTINCT and size >= VERY_FAR * others.size:
        return True
    gap = max(code.value - others.high, others.low - code.value)
    many = often and code.rows >= 5 * others.median_rows
    return size in _CODES and size > 100 and many and gap >= MIN_GAP * (others.high - others.low)


def _is_negative_code(code: SpecialCode, others: _Others, found: list[SpecialCode]) -> bool:
    """Among values that are all at least 0."""
    size = -code.value
    if size not in _SMALL:
        return size in _CODES or (code.share >= MIN_SHARE and sum(other.value < 0 for other in found) == 1)
    small = sum(-other.value in _SMALL for other in found)
    if code.rows < MIN_ROWS or small > MAX_SMALL:
        return False
    return size in _USUAL_SMALL or (others.distinct >= MIN_DISTINCT and code.rows >= others.median_rows)

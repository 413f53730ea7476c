"""What training left out of the design: features without a column, and levels without one of their own."""

from collections.abc import Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loan_platform.core.book.parts.features import Feature
from loan_platform.core.features.design_column import RARE
from loan_platform.core.features.design_matrix import Design
from loan_platform.core.features.rare_states import counts


def left_out(
    design: Design, features: tuple[Feature, ...], loans: pl.DataFrame, rows: NDArray[np.int64]
) -> dict[str, str]:
    """A sentence for each feature of which something was left out, in order of the contract.

    Args:
        design: as learned from these loans.
        features: that a model may read.
        loans: their values.
        rows: the loans of the development sample.
    """
    return dict(_sentences(design, features, loans, rows))


def _sentences(
    design: Design, features: tuple[Feature, ...], loans: pl.DataFrame, rows: NDArray[np.int64]
) -> Iterator[tuple[str, str]]:
    for feature in features:
        values = loans[feature.name].gather(rows)
        if feature.kind == "number":
            if feature.name not in design.features:
                yield feature.name, _unlearned(values)
        elif feature.name not in design.features:
            yield feature.name, _unlearned_category(values)
        elif sentence := _rare_levels(design, values):
            yield feature.name, sentence


def _unlearned(values: pl.Series) -> str:
    missing = values.null_count()
    if missing == len(values):
        return "the model does not read it: no development loan has a value"
    same = "the model does not read it: all development loans have the same value"
    return f"{same}, and too few ({missing:,}) lack it" if missing else same


def _unlearned_category(values: pl.Series) -> str:
    levels = counts(values)
    if len(levels) < 2:
        return _unlearned(values)
    return (
        f"the model does not read it: too few of its {len(levels):,} levels can be learned. The most frequent has "
        f"{max(levels.values()):,} of {len(values):,} development loans"
    )


def _rare_levels(design: Design, values: pl.Series) -> str:
    levels, columns = counts(values), [c for c in design.columns if c.feature == values.name]
    others = levels.keys() - {*design.levels[values.name]}
    if not others:
        return ""
    loans = f"{_counted(len(others), 'level')} with {_counted(sum(levels[level] for level in others), 'loan')}"
    if any(column.rare for column in columns):
        return f"{loans} together are learned as one, {RARE}"
    like = next(column.level for column in columns if column.unseen)
    return f"{loans} {'counts' if len(others) == 1 else 'count'} as {like!r}, because so few cannot be learned"


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}{'s' if number != 1 else ''}"

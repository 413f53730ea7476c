"""The design's columns of one feature, as the development loans have it."""

import numpy as np
import polars as pl

from loan_platform.core.book.parts.features import Feature
from loan_platform.core.features.design_column import RARE, DesignColumn
from loan_platform.core.features.rare_states import Development, counts
from loan_platform.core.features.undefined import LARGEST, TAIL, undefined_end

MAX_LEVELS = 200


def number_columns(feature: Feature, values: pl.Series, development: Development) -> list[DesignColumn]:
    """The column of a number; none if it does not vary."""
    missing = values.null_count()
    learned = missing == len(values) or development.saw_enough(missing)
    if missing == len(values) or (values.min() == values.max() and not (missing and learned)):
        return []
    column = _limited(feature, values)
    return [column if learned else column.model_copy(update={"missing": development.number(feature, values)})]


def category_columns(feature: Feature, values: pl.Series, development: Development) -> list[DesignColumn]:
    """The columns of a category's levels; none if it does not vary.

    The levels without a column of their own share the last one, if training saw enough of them together.
    """
    found = counts(values)
    enough = [level for level, rows in found.items() if development.saw_enough(rows) and level != RARE]
    own = sorted(enough[:MAX_LEVELS])
    others = sorted(found.keys() - set(own))
    rare = tuple(others) if development.saw_enough(sum(found[level] for level in others)) else ()
    levels = [*own, *([RARE] if rare else [])]
    learned = development.saw_enough(values.null_count())
    if len(levels) + learned < 2 or not levels:
        return []
    chosen = development.level(feature, values.replace(dict.fromkeys(rare, RARE)), levels)
    return [
        DesignColumn(
            feature=feature.name,
            level=level,
            missing=None if learned else float(level == chosen),
            unseen=float(level == chosen),
            rare=rare if level == RARE else (),
        )
        for level in levels
    ]


def _limited(feature: Feature, values: pl.Series) -> DesignColumn:
    """The column of a number. The value of an undefined one is that of a training loan."""
    end = undefined_end(feature)
    if end is None:
        return DesignColumn(feature=feature.name)
    known = values.filter(values.abs() < LARGEST)
    share = 1 - TAIL if end > 0 else TAIL
    value = known.quantile(share, "nearest") if len(known) else 0.0
    limit = float(np.float32(value if value is not None else 0.0))
    if end > 0:
        return DesignColumn(feature=feature.name, high=limit)
    return DesignColumn(feature=feature.name, low=limit)

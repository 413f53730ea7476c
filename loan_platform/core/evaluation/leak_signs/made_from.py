"""Columns that are made from a leak: bands of it, its multiples, and its differences to another column."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from loan_platform.core.evaluation.leak_signs.cells import Floats, as_numbers
from loan_platform.core.evaluation.row_sample import sampled_rows

MAX_LEVELS = 12
MIN_DISTINCT = 20
MIN_MINORITY = 20  # loans outside the commonest level
MAX_INCONSISTENT = 0.05  # of the loans outside the commonest level
RANK_CORRELATION = 0.999
MAX_MISSING = 0.1
EXPLAINED = 0.999  # share of the variance, by the leak and one other column
UNEXPLAINED = 0.95  # at most, by the other column alone
RELATED = 0.5  # correlation at most of the leak and the other column: a sum hangs on its parts, not they on each other
MAX_ROWS = 20_000


def made_from(
    columns: Mapping[str, pl.Series], leaks: frozenset[str], sure: frozenset[str], decided: pl.Series | None = None
) -> dict[str, str]:
    """The leak that each other column is made from, for the columns that are.

    What follows the date of the decision as well as it follows the leak is not made from the leak. A price index, or a
    number of the policy, follows the date of a disbursement that comes some days later.

    Args:
        columns: typed values of all columns.
        leaks: names of those known after the decision only.
        sure: of them, whose values show it; a difference to another column is looked for in these alone.
        decided: date of the decision, if it is known.
    """
    dated = None if decided is None else _sample(decided)
    numeric = {name: _sample(values) for name, values in columns.items() if values.dtype != pl.String}
    found: dict[str, str] = {}
    for name, values in columns.items():
        if name in leaks:
            continue
        few, numbers = _sampled(values), numeric.get(name)
        leak = next((one for one in sorted(leaks & numeric.keys()) if _is_made_from(few, numeric[one], numbers)), None)
        if leak and not (dated is not None and _is_made_from(few, dated, numbers)):
            found[name] = leak
    return found | _combinations({n: v for n, v in numeric.items() if n not in found}, leaks, sure)


def _sampled(values: pl.Series) -> pl.Series:
    return values[sampled_rows(len(values), MAX_ROWS)]


def _sample(values: pl.Series) -> Floats:
    return as_numbers(_sampled(values))


def _is_made_from(values: pl.Series, leak: Floats, numbers: Floats | None) -> bool:
    if len(np.unique(leak[~np.isnan(leak)])) < MIN_DISTINCT:
        return False
    if values.n_unique() <= MAX_LEVELS:
        return _is_band(values, leak)
    return numbers is not None and _ranks_alike(numbers, leak)


def _is_band(values: pl.Series, leak: Floats) -> bool:
    """Each value of the leak has one level, and the levels change a few times from the least value to the largest."""
    frame = pl.DataFrame({"level": values.cast(pl.String).fill_null(""), "leak": leak}).filter(~pl.col("leak").is_nan())
    levels = frame["level"].n_unique()
    most = frame["level"].value_counts(sort=True, name="rows")["rows"]
    minority = frame.height - int(most[0]) if levels > 1 else 0
    if minority < MIN_MINORITY:
        return False
    by_leak = frame.group_by("leak", "level").len("rows").sort("leak", "rows", "level", descending=[False, True, False])
    first = by_leak.group_by("leak", maintain_order=True).first()
    if frame.height - int(first["rows"].sum()) > MAX_INCONSISTENT * minority:
        return False
    return int((first["level"] != first["level"].shift(1)).sum()) <= 2 * levels


def _ranks_alike(one: Floats, other: Floats) -> bool:
    both = ~np.isnan(one) & ~np.isnan(other)
    if both.sum() < max(len(one) / 2, MIN_DISTINCT) or len(np.unique(one[both])) < MIN_DISTINCT:
        return False
    first, second = (pl.Series(values[both]).rank().to_numpy() for values in (one, other))
    return abs(float(np.corrcoef(first, second)[0, 1])) >= RANK_CORRELATION


def _combinations(numeric: dict[str, Floats], leaks: frozenset[str], sure: frozenset[str]) -> dict[str, str]:
    """Columns of which a leak and one other column explain all, and the other column alone does not."""
    used = {name: values for name, values in numeric.items() if np.isnan(values).mean() < MAX_MISSING}
    if not sure & used.keys():
        return {}
    matrix = np.column_stack(list(used.values()))
    matrix = matrix[~np.isnan(matrix).any(axis=1)]
    varies = matrix.std(axis=0) > 0 if len(matrix) >= MIN_MINORITY else np.zeros(len(used), bool)
    names = [name for name, moves in zip(used, varies, strict=True) if moves]
    if len(names) < 3:
        return {}
    r: Floats = np.asarray(np.corrcoef(matrix[:, varies], rowvar=False), np.float64)
    found: dict[str, str] = {}
    for leak in (name for name in names if name in sure):
        for name in names:
            if name not in leaks and name not in found and _explained(r, names.index(name), names.index(leak)):
                found[name] = leak
    return found


def _explained(r: Floats, column: int, leak: int) -> bool:
    """Whether the leak and one other column give the column, by the correlations of all columns."""
    others = [j for j in range(len(r)) if j not in (column, leak) and abs(float(r[leak, j])) <= RELATED]
    alone, between, own = r[column, others], r[leak, others], float(r[column, leak])
    explained = (own**2 + alone**2 - 2 * own * alone * between) / (1 - between**2)
    return bool(np.any((explained >= EXPLAINED) & (alone**2 <= UNEXPLAINED)))

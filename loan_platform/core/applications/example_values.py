"""Values of a column for example applications: round numbers, categories, dates."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from loan_platform.core.book.parts.columns import Column
from loan_platform.core.monitoring.reference import VariableReference
from loan_platform.core.scoring.scoring_model import ScoringModel

MANTISSAS = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0)
DECADES = range(8)
UNBOUNDED = {"percent": 100.0, "integer": 1e3, "number": 1e6}  # largest example of a number without a maximum
STEPS = 20  # of a bounded range
YEARS_BACK = (0, 1, 2, 3, 5, 8, 12, 16, 20, 25, 30, 40, 50)
LATEST_YEAR = 2015
EVENT_DAY = f"{LATEST_YEAR}-06-30"
MAX_CATEGORIES = 60


def values_of(column: Column, model: ScoringModel, known: Sequence[VariableReference]) -> list[Any]:
    """JSON values that the column accepts, rising; at least one.

    Args:
        column: of the contract.
        model: its levels are used for a text column without categories.
        known: frozen bins of features. Where a feature is the column itself, the values of its bins are used too.
    """
    alone = {feature.name for feature in model.contract.features if feature.sql.strip() == column.name}
    match column.type:
        case "boolean":
            return [False, True]
        case "date":
            if column.name == model.contract.event_date:
                return [EVENT_DAY]
            return [f"{LATEST_YEAR - years}-06-15" for years in reversed(YEARS_BACK)]
        case "text":
            if column.allowed:
                return list(column.allowed[:MAX_CATEGORIES])
            levels = [level for name in alone for level in model.design.levels.get(name, ())]
            return levels[:MAX_CATEGORIES] or ["example"]
        case _:
            few = [edge for variable in known if variable.name in alone and variable.kind == "values"
                   for edge in variable.edges]  # fmt: skip
            return _numbers(column, few)


def _numbers(column: Column, few: Iterable[float]) -> list[Any]:
    low, high = column.minimum, column.maximum
    round_ones = [0.0, *(mantissa * 10.0**decade for decade in DECADES for mantissa in MANTISSAS), *few]
    if low is not None and high is not None:
        round_ones += [low, high, *(_rounded(low + (high - low) * step / STEPS) for step in range(1, STEPS))]
    least = 0.0 if low is None else low
    most = max(UNBOUNDED[column.type], least) if high is None else high
    inside = {value for value in round_ones if min(least, most) <= value <= most} or {min(least, most)}
    if column.type == "integer":
        whole = {int(value) for value in inside if value == int(value)} or {math.ceil(least)}
        return sorted(whole)
    return sorted(inside)


def _rounded(value: float) -> float:
    """Two significant digits."""
    return float(f"{value:.2g}")

"""What a feature is when its inputs are known and its SQL has no finite result, such as a division by zero.

`FeatureSet.compute` gives an end of single precision, and the design matrix replaces it by a quantile of the training
loans. So an undefined value counts as an extreme one, in a batch and alone.
"""

import polars as pl
from sqlglot import exp

from loan_platform.core.book.contract_parts import Feature
from loan_platform.core.book.sql import parsed

LARGEST = 3.4e38  # of single precision, the type of the models' inputs
TAIL = 0.005  # share of the training loans beyond the value of an undefined feature

_DIVISIONS = (exp.Div, exp.IntDiv, exp.Mod)


def undefined_end(feature: Feature) -> float | None:
    """`LARGEST`, `-LARGEST`, or None where the undefined value is missing."""
    rising = 1.0 if feature.monotone == "increasing" else -1.0
    match feature.when_undefined:
        case "highest_risk":
            return rising * LARGEST
        case "lowest_risk":
            return -rising * LARGEST
        case "largest":
            return LARGEST
        case "smallest":
            return -LARGEST
        case _:
            return None


def divisors(feature: Feature) -> tuple[str, ...]:
    """SQL of everything with a column that the feature divides by."""
    found = [node.expression for node in parsed(feature.sql).find_all(*_DIVISIONS)]
    return tuple(dict.fromkeys(divisor.sql("duckdb") for divisor in found if divisor.find(exp.Column)))


def computed_sql(feature: Feature) -> str:
    """The feature's SQL. With a stated end, `x / NULLIF(y, 0)` becomes `x / y`: a known zero is not missing."""
    if undefined_end(feature) is None or not any(map(_guarded, parsed(feature.sql).find_all(exp.Nullif))):
        return feature.sql
    return parsed(feature.sql).transform(lambda node: node.this if _guarded(node) else node).sql("duckdb")


def defined(feature: Feature, value: pl.Expr) -> pl.Expr:
    """The value of a number, where it has none the stated end, and null where an input is missing.

    A number beyond single precision is cut to it in a feature that has a direction or a stated end, and else missing.
    """
    end = undefined_end(feature)
    cut = value.clip(-LARGEST, LARGEST) if end is not None or feature.monotone else value
    known = pl.when(value == 0).then(pl.lit(0.0)).when(value.is_finite() & (cut.abs() <= LARGEST)).then(cut)
    if end is None:
        return known
    return known.when(value.is_not_null() & ~value.is_finite()).then(pl.lit(end))


def _guarded(node: exp.Expr) -> bool:
    """Whether the SQL is `NULLIF(y, 0)` as part of a divisor."""
    if not isinstance(node, exp.Nullif) or not isinstance(node.expression, exp.Literal):
        return False
    if node.expression.is_string or float(node.expression.name) != 0:
        return False
    above: exp.Expr = node
    while above.parent is not None:
        if isinstance(above.parent, _DIVISIONS) and above.arg_key == "expression":
            return True
        above = above.parent
    return False

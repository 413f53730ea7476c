"""What a feature is when its inputs are known and its SQL has no finite result, such as a division by zero.

`FeatureSet.compute` gives an end of single precision, and the design matrix replaces it by a quantile of the training
loans. So an undefined value counts as an extreme one, in a batch and alone.
"""

from collections.abc import Callable, Mapping
from itertools import product

import polars as pl
from sqlglot import exp

from loan_platform.core.book.column_types import NUMBERS
from loan_platform.core.book.parts.columns import Column
from loan_platform.core.book.parts.features import Feature
from loan_platform.core.book.sql import parsed

LARGEST = 3.4e38  # of single precision, the type of the models' inputs
MOST_TRIED = 4  # columns of one feature
TAIL = 0.005  # share of the training loans beyond the value of an undefined feature

_DIVISIONS = (exp.Div, exp.IntDiv, exp.Mod)
_KEEP_ZERO = (exp.Paren, exp.Neg, exp.Cast, exp.Mul)  # are 0 where a part of them is
_KEEP_UNDEFINED = (
    exp.Paren,
    exp.Neg,
    exp.Add,
    exp.Sub,
    exp.Mul,
    exp.Div,
    exp.Abs,
    exp.Ln,
    exp.Sqrt,
)  # not as a divisor


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


def undefined_at(feature: Feature, columns: Mapping[str, Column]) -> dict[str, float] | None:
    """Numbers within the ranges of its columns at which the feature has no finite result, such as `ln(income)` at 0.

    Zero and both bounds are tried, in every combination of up to four columns. A column without a minimum is not tried
    below zero. None where all results are finite or null, or where a column is no number.

    Args:
        feature: whose SQL runs.
        columns: of the contract, by name.
    """
    read = [columns[name] for name in feature.columns if name in columns]
    if not 1 <= len(read) <= MOST_TRIED or any(column.type not in NUMBERS for column in read):
        return None
    allowed = [_tried(column) for column in read]
    frame = pl.DataFrame(list(product(*allowed)), dict.fromkeys((c.name for c in read), pl.Float64), orient="row")
    value = pl.sql_expr(never_raising(feature.sql)).cast(pl.Float64)
    found = frame.filter((value.is_infinite() | value.is_nan()).fill_null(False))
    return found.row(0, named=True) if found.height else None


def _tried(column: Column) -> list[float]:
    """Both ends of a column's range, and zero if it is inside. Without a minimum, amounts begin at zero."""
    low, high = column.minimum, column.maximum
    ends = {0.0, 1.0 if high is None else high, *([] if low is None else [low])}
    least = low if low is not None else 0.0 if high is None or high >= 0 else high
    return sorted(x for x in ends if least <= x and (high is None or x <= high))


def computed_sql(feature: Feature) -> str:
    """The feature's SQL as Polars runs it: `never_raising`, and with a known zero that is not missing.

    With a stated end, `x / NULLIF(y, 0)` becomes `x / y`. It stays where the SQL defines a result for the zero, as in
    `COALESCE(x / NULLIF(y, 0), 0)` or `x / (1 + NULLIF(y, 0))`.
    """
    if undefined_end(feature) is None or not any(map(_guarded, parsed(feature.sql).find_all(exp.Nullif))):
        return never_raising(feature.sql)
    return _replaced(_replaced(parsed(feature.sql), _guarded, _unguarded), _raises, _quiet).sql("duckdb")


def never_raising(sql: str) -> str:
    """The SQL in a form at which Polars never raises, whatever the values of a row.

    `x // y` becomes `FLOOR(x / y)`. A CAST that may fail becomes TRY_CAST, which gives null. EXTRACT gives 64 bits: in
    the 8 bits of Polars, `30 * EXTRACT(MONTH FROM day)` overflows.
    """
    tree = parsed(sql)
    return _replaced(tree, _raises, _quiet).sql("duckdb") if any(map(_raises, tree.walk())) else sql


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


def _replaced(
    tree: exp.Expr, chosen: Callable[[exp.Expr], bool], replacement: Callable[[exp.Expr], exp.Expr]
) -> exp.Expr:
    """A copy of the tree with other nodes in place of the chosen ones, the inner before the outer."""
    root = exp.Paren(this=tree.copy())
    for node in reversed([node for node in root.this.walk(bfs=False) if chosen(node)]):
        node.replace(replacement(node))
    return root.this


def _raises(node: exp.Expr) -> bool:
    """Whether Polars raises or overflows: `//` by zero, CAST of what the type cannot hold, EXTRACT in 8 bits."""
    return isinstance(node, exp.IntDiv | exp.Extract) or (type(node) is exp.Cast and node.find(exp.Column) is not None)


def _quiet(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.IntDiv):
        return exp.Floor(this=exp.Div(this=node.this.copy(), expression=node.expression.copy()))
    if isinstance(node, exp.Extract):
        return exp.cast(node.copy(), "BIGINT")
    return exp.TryCast(this=node.this.copy(), to=node.args["to"].copy())


def _guarded(node: exp.Expr) -> bool:
    """Whether the SQL is `NULLIF(y, 0)` and its only work is to make the whole result null where `y` is 0."""
    if not isinstance(node, exp.Nullif) or not isinstance(node.expression, exp.Literal):
        return False
    if node.expression.is_string or float(node.expression.name) != 0:
        return False
    factor: exp.Expr = node
    while isinstance(factor.parent, _KEEP_ZERO):
        factor = factor.parent
    if not isinstance(factor.parent, _DIVISIONS) or factor.arg_key != "expression":
        return False
    part: exp.Expr = factor.parent
    while isinstance(part.parent, _KEEP_UNDEFINED) and not _divides(part):
        part = part.parent
    return part.parent is None or isinstance(part.parent, exp.Select)


def _unguarded(node: exp.Expr) -> exp.Expr:
    return node.this.copy()


def _divides(node: exp.Expr) -> bool:
    return isinstance(node.parent, exp.Div) and node.arg_key == "expression"

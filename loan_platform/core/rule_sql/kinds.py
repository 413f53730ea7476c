"""The SQL that a row rule may use, with the kinds of values that each operator takes."""

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Literal

import polars as pl
from sqlglot import exp

from loan_platform.core.book.sql import parsed
from loan_platform.core.errors import Issue

Kind = Literal["number", "date", "text", "condition"]
Schema = Mapping[str, type[pl.DataType]]  # of the columns that a rule may read

ARITHMETIC = (exp.Add, exp.Sub, exp.Mul, exp.Div)
EXTREMES = (exp.Greatest, exp.Least)
PARTS_OF_A_DATE = ("YEAR", "MONTH", "DAY")
_COMPARED = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.Between, exp.In, exp.Is)
_COMPUTED = (*ARITHMETIC, *EXTREMES, exp.Neg, exp.Abs, exp.Coalesce, exp.Nullif, exp.Case, exp.Extract)

HINT = (
    "Use comparisons, AND, OR, NOT, IN, BETWEEN, IS NULL, +, -, *, /, ABS, COALESCE, NULLIF, GREATEST, LEAST, "
    "CASE WHEN, EXTRACT of YEAR, MONTH or DAY, and dates as in DATE '2020-01-31'."
)
_INSTEAD: dict[type[exp.Expr], str] = {
    exp.IntDiv: "Compare the quotient: `a / b >= 2` instead of `a // b >= 2`.",
    exp.Mod: "Name the values, as in `term IN (12, 24)`.",
    exp.Cast: "Compare the number itself, without a CAST.",
    exp.TryCast: "Compare the number itself, without a CAST.",
    exp.Round: "Compare with a tolerance, as in `ABS(a - b) <= 0.5`.",
}
_KINDS: dict[type[pl.DataType], Kind] = {
    pl.Float64: "number",
    pl.Int64: "number",
    pl.Date: "date",
    pl.String: "text",
    pl.Boolean: "condition",
}


class UnlikeError(ValueError):
    """SQL that DuckDB and Polars may read differently.

    Attributes:
        hint: what to write instead.
    """

    def __init__(self, message: str, hint: str = HINT) -> None:
        super().__init__(message)
        self.hint = hint


def unlike_issue(sql: str, schema: Schema) -> Issue | None:
    """An issue if the rule uses more than the SQL that both engines read alike."""
    try:
        expect(parsed(sql), "condition", schema)
    except UnlikeError as error:
        return Issue("sql", str(error), error.hint, "engines_differ")
    return None


def expect(node: exp.Expr, wanted: Kind, schema: Schema) -> None:
    """Check a part of a rule.

    Raises:
        UnlikeError: it gives another kind, or uses more than the SQL that both engines read alike.
    """
    if (found := kind_of(node, schema)) != wanted:
        raise UnlikeError(f"{_text(node)} is a {found}, where a {wanted} is needed")


def kind_of(node: exp.Expr, schema: Schema) -> Kind:
    """What a part of a rule gives.

    Raises:
        UnlikeError: it uses more than the SQL that both engines read alike.
    """
    if isinstance(node, exp.Paren):
        return kind_of(node.this, schema)
    if isinstance(node, exp.Column | exp.Literal | exp.Boolean) or is_date(node):
        return _value(node, schema)
    if type(node) in (*_COMPARED, exp.And, exp.Or, exp.Not):
        return _condition(node, schema)
    if type(node) not in _COMPUTED or (isinstance(node, exp.Case) and node.this is not None):
        raise UnlikeError(
            f"DuckDB, which reads files, and Polars, which reads requests, may read {_text(node)} differently",
            _INSTEAD.get(type(node), HINT),
        )
    if not reads_columns(node) and not (isinstance(node, exp.Neg) and isinstance(node.this, exp.Literal)):
        raise UnlikeError(f"{_text(node)} reads no column", "Write its result.")
    return _computed(node, schema)


def operands(node: exp.Expr) -> list[exp.Expr]:
    """The values that an operator or a function takes; of CASE its results."""
    if isinstance(node, exp.Case):
        results = [branch.args["true"] for branch in node.args["ifs"]]
        default = node.args.get("default")
        return results if default is None else [*results, default]
    if isinstance(node, exp.Between):
        return [node.this, node.args["low"], node.args["high"]]
    if isinstance(node, exp.Binary | exp.Nullif):
        return [node.this, node.expression]
    return [node.this, *node.expressions]


def is_date(node: exp.Expr) -> bool:
    """Whether the SQL is a date as in DATE '2020-01-31'."""
    return type(node) is exp.Cast and isinstance(node.this, exp.Literal) and node.is_type("date")


def reads_columns(node: exp.Expr) -> bool:
    """Whether the value depends on the row."""
    return node.find(exp.Column) is not None


def _value(node: exp.Expr, schema: Schema) -> Kind:
    if isinstance(node, exp.Column):
        return _KINDS[schema[node.name.lower()]]
    if isinstance(node, exp.Boolean):
        return "condition"
    if isinstance(node, exp.Cast):
        return "date"
    if node.is_string:
        return "text"
    if not isfinite(float(node.name)):
        raise UnlikeError(f"{_text(node)} is too large for a number", "Write a smaller number.")
    return "number"


def _computed(node: exp.Expr, schema: Schema) -> Kind:
    if isinstance(node, exp.Extract):
        if node.name.upper() not in PARTS_OF_A_DATE:
            raise UnlikeError(f"{_text(node)} is none of {', '.join(PARTS_OF_A_DATE)}")
        expect(node.expression, "date", schema)
        return "number"
    if isinstance(node, exp.Case):
        for branch in node.args["ifs"]:
            expect(branch.this, "condition", schema)
    if type(node) not in (*ARITHMETIC, exp.Neg, exp.Abs):
        return _same(node, operands(node), schema)
    for part in operands(node):
        expect(part, "number", schema)
    if isinstance(node, exp.Div) and not reads_columns(node.expression) and _is_zero(node.expression):
        raise UnlikeError(f"{_text(node)} divides by zero", "Write another divisor.")
    return "number"


def _is_zero(constant: exp.Expr) -> bool:
    number = constant.find(exp.Literal)
    return number is not None and float(number.name) == 0


def _condition(node: exp.Expr, schema: Schema) -> Kind:
    if isinstance(node, exp.Is) and not isinstance(node.expression, exp.Null):
        raise UnlikeError(f"{_text(node)} is not read alike", "Write the condition itself, or IS NULL.")
    if isinstance(node, exp.In) and (not node.expressions or any(map(reads_columns, node.expressions))):
        raise UnlikeError(f"{_text(node)} names no values", "Write values, or compare with each column.")
    if isinstance(node, exp.Is):
        kind_of(node.this, schema)
    elif isinstance(node, exp.And | exp.Or | exp.Not):
        for part in operands(node):
            expect(part, "condition", schema)
    elif _same(node, operands(node), schema) == "condition" and not isinstance(node, exp.EQ | exp.NEQ):
        raise UnlikeError(f"{_text(node)} orders conditions", "Use AND, OR, NOT or =.")
    return "condition"


def _same(node: exp.Expr, parts: Iterable[exp.Expr], schema: Schema) -> Kind:
    """The kind of all parts."""
    kinds: dict[Kind, exp.Expr] = {kind_of(part, schema): part for part in parts}
    if len(kinds) == 1:
        return next(iter(kinds))
    hint = "Write dates as in DATE '2020-01-31'." if {"date", "text"} == set(kinds) else HINT
    named = " and ".join(f"the {kind} {_text(part)}" for kind, part in kinds.items())
    raise UnlikeError(f"{_text(node)} has {named}", hint)


def _text(node: exp.Expr) -> str:
    return f"`{node.sql('duckdb')}`"

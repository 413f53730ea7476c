"""A row rule as the SQL that an engine runs. Both engines decide every row alike.

All numbers are double precision and every operator has brackets. Where the engines differ by themselves, one form is
written for both:

| where they differ | what is written |
| --- | --- |
| Polars multiplies by the inverse of a literal divisor | `x * (1 / 3)` for `x / 3` in DuckDB |
| DuckDB computes decimals and integers exactly, or fails | double precision |
| Polars computes EXTRACT and CASE in 8 or 32 bits | double precision |
| the sign of a zero, as of `0 - x` or `LEAST(0, -0)` | `CASE WHEN y = 0 THEN 0 ELSE y END` for a divisor `y` |
| whether NaN is the greatest | missing, so GREATEST and LEAST skip it |
"""

from typing import Literal

import polars as pl
from sqlglot import exp

from loan_platform.core.book.sql import parsed
from loan_platform.core.rule_sql.kinds import (
    ARITHMETIC,
    EXTREMES,
    Schema,
    expect,
    is_date,
    kind_of,
    operands,
    reads_columns,
)

Engine = Literal["duckdb", "polars"]
_SIGNS: dict[type[exp.Expr], str] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.And: "AND",
    exp.Or: "OR",
    exp.Add: "+",
    exp.Sub: "-",
    exp.Mul: "*",
}
_FUNCTIONS: dict[type[exp.Expr], str] = {
    exp.Abs: "ABS",
    exp.Coalesce: "COALESCE",
    exp.Nullif: "NULLIF",
    exp.Greatest: "GREATEST",
    exp.Least: "LEAST",
}
_NAN = "CAST('NaN' AS DOUBLE)"


def engine_sql(sql: str, schema: Schema, engine: Engine) -> str:
    """The condition as an engine runs it.

    Args:
        sql: of a row rule.
        schema: type of each column that it reads.
        engine: that runs it.

    Raises:
        UnlikeError: the engines may read it differently.
    """
    tree = parsed(sql)
    expect(tree, "condition", schema)
    return _Writer(schema, engine).written(tree)


class _Writer:
    def __init__(self, schema: Schema, engine: Engine) -> None:
        self._schema = schema
        self._engine = engine

    def written(self, node: exp.Expr) -> str:
        """SQL of a part of a rule."""
        if isinstance(node, exp.Paren):
            return self.written(node.this)
        if isinstance(node, exp.Column | exp.Literal | exp.Boolean) or is_date(node):
            return self._value(node)
        if isinstance(node, exp.Div):
            return self._quotient(node)
        if type(node) in _SIGNS:
            return f"({self.written(node.this)} {_SIGNS[type(node)]} {self.written(node.expression)})"
        if type(node) in _FUNCTIONS:
            return self._function(node)
        return self._other(node)

    def _value(self, node: exp.Expr) -> str:
        if isinstance(node, exp.Column):
            name = '"' + node.name.lower() + '"'
            return f"CAST({name} AS DOUBLE)" if self._schema[node.name.lower()] == pl.Int64 else name
        if isinstance(node, exp.Literal) and not node.is_string and self._engine == "duckdb":
            return f"CAST('{node.name}' AS DOUBLE)"
        return node.sql("duckdb")

    def _quotient(self, node: exp.Div) -> str:
        value, divisor = self.written(node.this), self.written(node.expression)
        if reads_columns(node.expression):
            return f"({value} / CASE WHEN {divisor} = 0 THEN 0 ELSE {divisor} END)"
        return f"({value} * (1.0 / {divisor}))" if self._engine == "duckdb" else f"({value} / {divisor})"

    def _function(self, node: exp.Expr) -> str:
        parts = [self.written(part) for part in operands(node)]
        if type(node) in EXTREMES and kind_of(node, self._schema) == "number":
            parts = [
                f"NULLIF({part}, {_NAN})" if operand.find(*ARITHMETIC) else part
                for part, operand in zip(parts, operands(node), strict=True)
            ]
        return f"{_FUNCTIONS[type(node)]}({', '.join(parts)})"

    def _other(self, node: exp.Expr) -> str:
        if isinstance(node, exp.Not | exp.Neg):
            return f"({'NOT' if isinstance(node, exp.Not) else '-'} {self.written(node.this)})"
        if isinstance(node, exp.Is):
            return f"({self.written(node.this)} IS NULL)"
        if isinstance(node, exp.Between):
            value, low, high = map(self.written, operands(node))
            return f"(({value} >= {low}) AND ({value} <= {high}))"
        if isinstance(node, exp.In):
            value, *few = map(self.written, operands(node))
            return f"({' OR '.join(f'({value} = {one})' for one in few)})"
        if isinstance(node, exp.Extract):
            return f"CAST(EXTRACT({node.name} FROM {self.written(node.expression)}) AS DOUBLE)"
        return self._case(node)

    def _case(self, node: exp.Expr) -> str:
        branches = [
            f"WHEN {self.written(branch.this)} THEN {self.written(branch.args['true'])}" for branch in node.args["ifs"]
        ]
        if (default := node.args.get("default")) is not None:
            branches.append(f"ELSE {self.written(default)}")
        case = f"CASE {' '.join(branches)} END"
        return f"CAST({case} AS DOUBLE)" if kind_of(node, self._schema) == "number" else case

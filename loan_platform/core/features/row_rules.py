"""The contract's row rules in Polars: which rows break which rule, and the issues that prevent a rule."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce

import polars as pl

from loan_platform.core.book.parts.features import RowRule
from loan_platform.core.errors import ExplainedError, Issue
from loan_platform.core.features.feature_sql import beyond_its_row, first_line
from loan_platform.core.features.undefined import never_raising
from loan_platform.core.rule_sql.engine_sql import engine_sql
from loan_platform.core.rule_sql.kinds import Schema, UnlikeError

ROW_RULE = "row_rule"  # code of a broken rule, in quarantined rows, requests and batch jobs

Broken = Mapping[int, tuple[RowRule, ...]]  # by the number of a row, from 0: the rules that it breaks

ALL_KEPT = "all rules are kept"  # no feature has spaces in its name
_ROW = "number of the row"


class BrokenRulesError(ExplainedError, ValueError):
    """Rows that break critical row rules. They are not scored.

    Attributes:
        broken: the rules by row.
    """

    def __init__(self, broken: Broken) -> None:
        rules = dict.fromkeys(rule.name for rules in broken.values() for rule in rules)
        super().__init__(f"{len(broken)} rows break the rules {', '.join(rules)}")
        self.broken = broken


def broken_issues(rules: Iterable[RowRule], columns: Iterable[str], where: str = "") -> list[Issue]:
    """An issue for each column of each broken rule, in the order of the columns.

    Args:
        rules: that a row breaks.
        columns: of the contract, in order.
        where: in front of the name of each column.
    """
    order = list(columns)
    return [
        Issue(where + name, broken_detail(rule), code=ROW_RULE, rule=rule.name)
        for rule in rules
        for name in order
        if name in rule.columns
    ]


def broken_detail(rule: RowRule) -> str:
    """What is told of a row that breaks the rule; never a value."""
    return f"breaks the rule {rule.statement}"


def all_kept(rules: Sequence[RowRule], schema: Schema) -> pl.Expr:
    """The column `ALL_KEPT`: false where a row breaks one of the rules, and otherwise true or null.

    Args:
        rules: one or more.
        schema: type of each column that the rules read.
    """
    return reduce(lambda kept, more: kept & more, (kept_expression(rule, schema) for rule in rules)).alias(ALL_KEPT)


def each_broken(rules: Sequence[RowRule], schema: Schema) -> list[pl.Expr]:
    """For each rule whether a row breaks it, as a boolean without nulls."""
    return [(~kept_expression(rule, schema)).fill_null(False).alias(f"{i}") for i, rule in enumerate(rules)]


def kept_expression(rule: RowRule, schema: Schema) -> pl.Expr:
    """Whether a row keeps a rule; null where a value is missing.

    Rules of older bundles may use more SQL than `engine_sql` reads. They run as they are, but never raise.
    """
    try:
        return pl.sql_expr(engine_sql(rule.sql, schema, "polars"))
    except UnlikeError:
        return pl.sql_expr(never_raising(rule.sql))


def broken_rows(rules: Sequence[RowRule], found: pl.DataFrame) -> Broken:
    """The rules that each row breaks; a row that breaks none is left out.

    Args:
        rules: one or more.
        found: columns of `each_broken`.
    """
    rows = found.with_row_index(_ROW).filter(pl.any_horizontal(pl.exclude(_ROW))).rows()
    return {row: tuple(rule for rule, is_broken in zip(rules, flags, strict=True) if is_broken) for row, *flags in rows}


def rule_issues(rules: Sequence[RowRule], empty: pl.DataFrame) -> Iterator[tuple[int, Issue]]:
    """Every rule that reads other rows, does not compile in Polars, or is no condition, by its number.

    Args:
        rules: of a contract.
        empty: a frame without rows that has every column in its type.
    """
    for i, rule in enumerate(rules):
        if issue := beyond_its_row(rule.sql, "a rule") or _compile_issue(rule, empty):
            yield i, issue


def _compile_issue(rule: RowRule, empty: pl.DataFrame) -> Issue | None:
    try:
        schema = {name: type(dtype) for name, dtype in empty.schema.items()}
        dtype = empty.select(kept_expression(rule, schema).alias("x")).dtypes[0]
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        message = f"Polars cannot run it: {first_line(error)}"
        return Issue("sql", message, "Use functions of Polars' SQL, and columns of fitting types.", "invalid_sql")
    if dtype != pl.Boolean:
        hint = "Write a condition, such as `low <= high`."
        return Issue("sql", f"gives {dtype}, not true or false", hint, "wrong_type")
    return None

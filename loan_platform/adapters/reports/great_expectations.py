"""Check validated rows against the rules of a contract with Great Expectations. Results never hold values of rows."""

import gc
import logging
import warnings
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
from polars import selectors

from loan_platform.adapters.reports.helper_process import HelperProcess
from loan_platform.core.staging.rules import Kind, QualityResult, Rule, RuleOutcome

_MAX_COLUMNS = 4  # per group of rules
_MAX_VALUES = 20_000_000  # that one context holds of one table
_MAX_VALUES_KEPT = 2_000_000  # that it holds between tables
_CLASSES: dict[Kind, str] = {
    "has_rows": "ExpectTableRowCountToBeBetween",
    "columns_present": "ExpectTableColumnsToMatchSet",
    "unique": "ExpectColumnValuesToBeUnique",
    "unique_together": "ExpectCompoundColumnsToBeUnique",
    "not_null": "ExpectColumnValuesToNotBeNull",
    "missing_share": "ExpectColumnValuesToNotBeNull",
    "between": "ExpectColumnValuesToBeBetween",
    "in_set": "ExpectColumnValuesToBeInSet",
    "not_after": "ExpectColumnPairValuesAToBeGreaterThanB",
    "row_rule": "ExpectColumnValuesToBeInSet",
}
_TABLE = frozenset({"has_rows", "columns_present"})
_NULLS_ONLY = frozenset({"not_null", "missing_share"})


def run_quality(parquet: Path, rules: Sequence[Rule], absent: Collection[str] = ()) -> QualityResult:
    """Check validated rows against rules.

    Millions of rows take seconds, for three reasons. Great Expectations gets about four columns at a time, because it
    copies its whole frame for each column with nulls. For rules about nulls only, it gets a null mask. Only failed
    rules run a second time, for their counts.

    Args:
        parquet: a Parquet file, or a directory of them.
        rules: of `expectations_for`.
        absent: optional columns that the source lacks, all null in the file; their rules are skipped.

    Returns:
        One outcome per rule, in the order of the rules.
    """
    frame = pl.scan_parquet(parquet)
    rows = int(frame.select(pl.len()).collect().item())
    known = _outcomes_without_rows(rules, frame.collect_schema().names(), rows, frozenset(absent))
    found = {outcome.rule.name: outcome for outcome in known}
    rest = [rule for rule in rules if rule.name not in found]
    with _quiet():
        for group in _groups(rest):
            found.update((o.rule.name, o) for o in _run_group(_engine(), _load(frame, group), group, rows))
        _engine().release()
    return QualityResult(rows, tuple(found[rule.name] for rule in rules))


quality_process = HelperProcess(run_quality, imports="great_expectations.expectations")


def _outcomes_without_rows(
    rules: Sequence[Rule], present: Sequence[str], rows: int, absent: frozenset[str]
) -> Iterator[RuleOutcome]:
    for rule in rules:
        lacking = ", ".join(sorted(absent.intersection(rule.columns)))
        missing = ", ".join(sorted(set(rule.columns).difference(present)))
        if rule.kind == "in_source":
            note = f"not in the source: {lacking}" if lacking else ""
            yield RuleOutcome(rule, "failed" if lacking else "passed", rows, 0, note)
        elif rule.kind in _TABLE:
            continue
        elif missing:
            yield RuleOutcome(rule, "failed", rows, rows, f"the table has no column {missing}")
        elif lacking:
            yield RuleOutcome(rule, "skipped", rows, 0, f"not in the source: {lacking}")


def _groups(rules: Sequence[Rule]) -> Iterator[list[Rule]]:
    if of_table := [rule for rule in rules if rule.kind in _TABLE]:
        yield of_table
    group: list[Rule] = []
    for rule in rules:
        if rule.kind in _TABLE:
            continue
        if group and len({c for r in (*group, rule) for c in r.columns}) > _MAX_COLUMNS:
            yield group
            group = []
        group.append(rule)
    if group:
        yield group


def _load(frame: pl.LazyFrame, group: Sequence[Rule]) -> pl.DataFrame:
    """The columns that the rules read, in their smallest sufficient form; for rules of the table one row of all
    columns."""
    if any(rule.kind in _TABLE for rule in group):
        return frame.select(pl.all().is_null()).head(1).collect()
    columns = list(dict.fromkeys(column for rule in group for column in rule.columns))
    nulls_only = [c for c in columns if all(r.kind in _NULLS_ONLY for r in group if c in r.columns)]
    categories = [c for c in columns for r in group if c in r.columns and r.kind == "in_set"]
    return (
        pl.concat([frame.select(columns), _kept_rules(frame, group)], how="horizontal")
        .with_columns(pl.when(pl.col(nulls_only).is_not_null()).then(1.0).name.keep())
        .with_columns(pl.col(categories).cast(pl.Categorical), pl.col(pl.Date).cast(pl.Datetime("ms")))
        .collect()
    )


def _kept_rules(frame: pl.LazyFrame, group: Sequence[Rule]) -> pl.LazyFrame:
    """A column for each row rule, with its name: 1 where a row keeps it, 0 where it breaks it."""
    rules = [rule for rule in group if rule.kind == "row_rule"]
    as_features_read_them = pl.col(list({column for rule in rules for column in rule.columns}))
    typed = frame.select(as_features_read_them).with_columns(selectors.integer().cast(pl.Float64))
    return typed.select(
        pl.when((~pl.sql_expr(rule.sql)).fill_null(False)).then(0.0).otherwise(1.0).alias(rule.name) for rule in rules
    )


def _run_group(engine: "_Engine", frame: pl.DataFrame, group: Sequence[Rule], rows: int) -> list[RuleOutcome]:
    data = frame.to_pandas()
    results = engine.validate(data, group, {"result_format": "BOOLEAN_ONLY"})
    failed = [rule for rule in group if not results[rule.name].success]
    # Without the 0, `partial_unexpected_list` would hold values of rows.
    counts = engine.validate(data, failed, {"result_format": "SUMMARY", "partial_unexpected_count": 0})
    return [_outcome(rule, counts.get(rule.name, results[rule.name]), frame, rows) for rule in group]


class _Engine:
    """Great Expectations in memory, without files and progress bars. It keeps no large frame for long."""

    def __init__(self) -> None:
        self._definition: Any = None
        self._values = 0

    def validate(self, data: Any, rules: Sequence[Rule], result_format: dict[str, Any]) -> dict[str, Any]:
        """Results by rule name."""
        import great_expectations as gx

        if not rules:
            return {}
        if self._values + data.size > _MAX_VALUES:
            self._forget()
        self._definition = self._definition or _batch_definition()
        self._values += data.size
        suite = gx.ExpectationSuite(name="contract", expectations=[_expectation(rule) for rule in rules])
        batch = self._definition.get_batch({"dataframe": data})
        results = batch.validate(suite, result_format=result_format).results
        configured = [(result.expectation_config, result) for result in results]
        return {config.meta["rule"]: result for config, result in configured if config and config.meta}

    def release(self) -> None:
        """Drop the context if it holds many values; otherwise the next table uses it again."""
        if self._values > _MAX_VALUES_KEPT:
            self._forget()

    def _forget(self) -> None:
        # A context keeps every frame, and its objects form reference cycles. Only a full garbage collection frees
        # them, which takes 0.2 s.
        self._definition = None
        self._values = 0
        gc.collect()


@cache
def _engine() -> _Engine:
    return _Engine()


def _batch_definition() -> Any:
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    source = context.data_sources.add_pandas("pandas").add_dataframe_asset("rows")
    return source.add_batch_definition_whole_dataframe("all")


def _expectation(rule: Rule) -> Any:
    import great_expectations.expectations as gxe

    arguments: dict[str, Any] = {"meta": {"rule": rule.name}, "severity": rule.severity}
    if rule.kind == "row_rule":
        arguments["column"] = rule.name
    elif len(rule.columns) == 1 and rule.kind not in _TABLE:
        arguments["column"] = rule.columns[0]
    return getattr(gxe, _CLASSES[rule.kind])(**arguments, **_arguments(rule))


def _arguments(rule: Rule) -> dict[str, Any]:  # noqa: PLR0911
    match rule.kind:
        case "not_null" | "missing_share":
            return {"mostly": 1 - rule.max_missing}
        case "columns_present":
            return {"column_set": list(rule.columns), "exact_match": False}
        case "unique_together":
            return {"column_list": list(rule.columns)}
        case "has_rows" | "between":
            return {"min_value": rule.minimum, "max_value": rule.maximum}
        case "in_set":
            return {"value_set": list(rule.allowed)}
        case "row_rule":
            return {"value_set": [1.0]}
        case "not_after":
            pair = {"column_A": rule.columns[1], "column_B": rule.columns[0]}
            return {**pair, "or_equal": True, "ignore_row_if": "either_value_is_missing"}
        case _:
            return {}


def _outcome(rule: Rule, result: Any, frame: pl.DataFrame, rows: int) -> RuleOutcome:
    kind = result.expectation_config.type
    status = "passed" if result.success else "failed"
    if rule.kind in _TABLE:
        missing = sorted(set(rule.columns).difference(frame.columns))
        return RuleOutcome(rule, status, rows, 0, ", ".join(missing), kind)
    if rule.kind in _NULLS_ONLY:
        return RuleOutcome(rule, status, rows, frame[rule.columns[0]].null_count(), "", kind)
    count = 0 if result.success else result.result.get("unexpected_count")
    if count is None:  # the engine's message may quote values, so it is dropped
        return RuleOutcome(rule, status, rows, rows, "the values have a type that the rule cannot compare", kind)
    return RuleOutcome(rule, status, rows, int(count), "", kind)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the engine's warnings and log lines, because they may quote values."""
    logger = logging.getLogger("great_expectations")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)

"""Many applications as one frame: sound rows are read by column, the others one by one.

Both ways accept, type and reject what `ApplicationReader.inputs` does.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl
from polars import selectors

from loan_platform.core.applications.json_values import exact_range
from loan_platform.core.applications.reader import ApplicationError, ApplicationReader
from loan_platform.core.book.column_types import (
    BLANKS,
    BOOLEAN_FORMS,
    DATE_FORMS,
    EXACT,
    FIRST_DATE,
    JSON_DATE,
    JSON_INTEGER,
    JSON_NUMBER,
    LAST_DATE,
    NUMBERS,
)
from loan_platform.core.book.parts.columns import MAX_STATED_LENGTH, Column
from loan_platform.core.staging.keys import WHOLE_KEY

ROW, KEY = "row", "key"
REJECTIONS = {ROW: pl.Int64, "field": pl.String, "code": pl.String, "detail": pl.String}
_NUMBER = re.compile(JSON_NUMBER, re.ASCII)
_KEY = re.compile(f"-?[0-9]+|{WHOLE_KEY}")
_BOOLEAN = BOOLEAN_FORMS["cell"]
_LONG = "x" * (MAX_STATED_LENGTH + 1)
_INEXACT = "0.5"  # stands for every float that is no key


@dataclass(frozen=True)
class ReadRows:
    """The rows of a frame: accepted ones with their values, rejected ones with their issues.

    Attributes:
        rows: numbers of the accepted rows, rising.
        keys: the loan's key of each accepted row, as text.
        frame: the accepted rows, with the columns and types of `ApplicationReader.schema`.
        rejected: row, field, code and detail of each issue of the rejected rows.
    """

    rows: pl.Series
    keys: pl.Series
    frame: pl.DataFrame
    rejected: pl.DataFrame


class FrameReader:
    """Reads frames of applications for one model.

    Args:
        one: the reader of single applications, whose rules hold.
    """

    def __init__(self, one: ApplicationReader) -> None:
        self.one = one

    def check_columns(self, names: Sequence[str]) -> None:
        """Check the column names of a file before its rows are read.

        Raises:
            ApplicationError: a column is no field of an application.
        """
        unknown = [name for name in names if name not in self.one.columns]
        if unknown:
            self.one.inputs(dict.fromkeys(unknown))

    def read(self, raw: pl.DataFrame, as_text: bool) -> ReadRows:
        """Check and type rows.

        Args:
            raw: `row`, and columns of an application.
            as_text: the cells come from a CSV file: every value is text, and the contract's texts for a missing value
                are missing.
        """
        raw = raw.with_columns(_without_long_values())
        if as_text:
            texts = pl.col([name for name, dtype in raw.schema.items() if dtype == pl.String and name != ROW])
            raw = raw.with_columns(pl.when(~texts.str.strip_chars(BLANKS).is_in(list(self.one.missing))).then(texts))
        raw = _shortest(self._with_key_text(raw.with_columns(selectors.float().fill_nan(None))))
        names = [name for name in raw.columns if name != ROW]
        plain = {name: self._typed_cell(self.one.columns[name], raw.schema[name], as_text) for name in names}
        checked = raw.select(
            ROW,
            *(value.alias(f"v {name}") for name, (value, _) in plain.items()),
            *((pl.col(name).is_null() | ok.fill_null(False)).alias(f"k {name}") for name, (_, ok) in plain.items()),
        )
        given = [pl.col(f"v {name}").is_not_null() if name in names else pl.lit(False) for name in self.one.required]
        sound = checked.select(
            pl.all_horizontal(pl.lit(True), *(pl.col(f"k {name}") for name in names), *given)
        ).to_series()
        schema = self.one.schema
        typed = [pl.col(f"v {n}") if n in names else pl.lit(None, dtype) for n, dtype in schema.items()]
        good = checked.filter(sound).select(
            ROW, *(e.cast(schema[n]).alias(n) for n, e in zip(schema, typed, strict=True))
        )
        odd, rejected = self._one_by_one(raw.filter(~sound), as_text)
        rows = pl.concat([good, odd]).sort(ROW) if odd.height else good
        return self.checked(ReadRows(rows[ROW], self._keys(raw, rows[ROW]), rows.drop(ROW), rejected))

    def checked(self, read: ReadRows) -> ReadRows:
        """Typed rows without those that break critical row rules, which are rejected."""
        broken = self.one.broken_rules(read.frame)
        if not broken:
            return read
        issues = [(read.rows[i], issue.path, issue.code, issue.detail) for i in broken for issue in broken[i]]
        more = pl.DataFrame(issues, schema=REJECTIONS, orient="row")
        rejected = pl.concat([read.rejected, more]).sort(ROW, maintain_order=True)
        kept = ~pl.Series(range(read.frame.height), dtype=pl.Int64).is_in(list(broken))
        return ReadRows(read.rows.filter(kept), read.keys.filter(kept), read.frame.filter(kept), rejected)

    def _keys(self, raw: pl.DataFrame, rows: pl.Series) -> pl.Series:
        given = pl.col(self.one.key) if self.one.key in raw.columns else pl.lit(None)
        if raw.schema.get(self.one.key, pl.Null).is_float():  # as text, 1e15 has an exponent
            given = given.cast(pl.Int64, strict=False)
        text = given.cast(pl.String).str.strip_chars(BLANKS)
        key = pl.coalesce(text.str.extract(f"^{WHOLE_KEY}$"), text)  # a text that is no key is a rejected row
        numbered = raw.select(ROW, pl.when(~key.is_in(list(self.one.missing))).then(key).alias(KEY))
        return rows.to_frame().join(numbered, ROW, "left", maintain_order="left")[KEY]

    def _with_key_text(self, raw: pl.DataFrame) -> pl.DataFrame:
        """The rows with a key of a numeric type as text: a whole number without decimals."""
        name, dtype = self.one.key, raw.schema.get(self.one.key)
        if dtype is None or not dtype.is_numeric() or self.one.columns[name].type != "text":
            return raw
        value = pl.col(name)
        if not dtype.is_float():
            return raw.with_columns(value.cast(pl.String).str.replace(r"\.0*$", ""))
        exact = (value == value.floor()) & (value.abs() < (2**24 if dtype == pl.Float32 else EXACT))
        whole = value.cast(pl.Int64, strict=False).cast(pl.String)
        return raw.with_columns(pl.when(exact).then(whole).when(value.is_not_null()).then(pl.lit(_INEXACT)).alias(name))

    def _typed_cell(self, column: Column, dtype: pl.DataType, as_text: bool) -> tuple[pl.Expr, pl.Expr]:
        """The value of a cell, and a condition: the single reader gives the same value."""
        cell, is_key = pl.col(column.name), column.name == self.one.key
        if column.type == "text" and dtype == pl.String:
            value, known = self._text(column, cell.str.strip_chars(BLANKS))
            if (longest := column.longest(is_key)) is not None:
                known &= (value.str.len_chars() <= longest).fill_null(True)
            return value, known & ~value.str.contains("[.,+]").fill_null(False) if is_key else known
        if as_text and dtype == pl.String:
            value, ok = _csv_cell(column, cell)
            return value, ok & cell.str.contains(f"^(?:{_KEY.pattern})$") if is_key and column.type in NUMBERS else ok
        if column.type in NUMBERS and dtype.is_numeric():
            value = _unsigned_zero(cell.cast(pl.Float64))
            fits = value == value.floor() if column.type == "integer" or is_key else value.is_finite()
            return value, fits & value.is_between(*exact_range(column))
        if column.type == "boolean" and dtype == pl.Boolean:
            return cell, pl.lit(True)
        if column.type == "date" and dtype == pl.Date:
            return cell, cell.is_between(FIRST_DATE, LAST_DATE)
        return pl.lit(None, pl.Null), pl.lit(False)

    def _text(self, column: Column, trimmed: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
        missing = trimmed.is_in(list(self.one.missing))
        known = pl.lit(True) if column.allowed is None else missing | trimmed.is_in(list(column.allowed))
        return pl.when(~missing).then(trimmed), known

    def _one_by_one(self, raw: pl.DataFrame, as_text: bool) -> tuple[pl.DataFrame, pl.DataFrame]:
        rows: list[int] = []
        inputs: list[list[Any]] = []
        issues: list[tuple[int, str, str, str]] = []
        for values in raw.iter_rows(named=True):
            number = values.pop(ROW)
            try:
                inputs.append(self.one.inputs(self._json(values, as_text)))
                rows.append(number)
            except ApplicationError as error:
                issues += [(number, issue.path, issue.code, issue.detail) for issue in error.issues]
        frame = self.one.frame(inputs) if inputs else pl.DataFrame(schema=self.one.schema)
        numbered = frame.insert_column(0, pl.Series(ROW, rows, raw.schema[ROW]))
        return numbered, pl.DataFrame(issues, schema=REJECTIONS, orient="row")

    def _json(self, values: dict[str, Any], as_text: bool) -> dict[str, Any]:
        """The row as JSON values."""
        given = {name: value for name, value in values.items() if value is not None}
        if not as_text:
            return {name: value.isoformat() if type(value) is date else value for name, value in given.items()}
        key = given.get(self.one.key, "")
        no_key = {self.one.key} if not _KEY.fullmatch(key) else set[str]()  # 1e3 is a number, and no key
        types = {name: "text" if name in no_key else self.one.columns[name].type for name in given}
        return {name: _json_of_cell(types[name], value) for name, value in given.items()}


def _without_long_values() -> pl.Expr:
    """Texts; one that is longer than any column allows, for one that is. A file may repeat one text of megabytes."""
    texts = pl.col(pl.String)
    return pl.when(texts.str.len_bytes() > 4 * MAX_STATED_LENGTH).then(pl.lit(_LONG)).otherwise(texts).name.keep()


def _shortest(raw: pl.DataFrame) -> pl.DataFrame:
    """Rows with 64-bit floats of their shortest texts, as in a file: a float32 of 0.1 is 0.1, not 0.10000000149."""
    inexact = pl.col([name for name, dtype in raw.schema.items() if dtype == pl.Float32 or dtype.is_decimal()])
    return raw.with_columns(inexact.cast(pl.String).cast(pl.Float64))


def _csv_cell(column: Column, cell: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """`_typed_cell` of a CSV cell."""
    if column.type == "boolean":
        word = cell.str.to_lowercase()
        return word.is_in([*_BOOLEAN.true]), word.is_in([*_BOOLEAN.true, *_BOOLEAN.false])
    if column.type == "date":
        day = cell.str.to_date(DATE_FORMS["cell"].formats[0], strict=False)
        return day, cell.str.contains(JSON_DATE) & day.is_between(FIRST_DATE, LAST_DATE)
    value = _unsigned_zero(cell.cast(pl.Float64, strict=False))
    written = cell.str.contains(JSON_INTEGER if column.type == "integer" else JSON_NUMBER)
    return value, written & value.is_between(*exact_range(column))


def _unsigned_zero(value: pl.Expr) -> pl.Expr:
    """The value; 0 for -0. Polars may leave out the addition of 0."""
    return pl.when(value == 0).then(pl.lit(0.0)).otherwise(value)


def _json_of_cell(kind: str, cell: str) -> Any:
    if kind in NUMBERS and _NUMBER.fullmatch(cell):
        try:
            return int(cell)
        except ValueError:
            return float(cell)
    if kind == "boolean" and (word := cell.lower()) in (*_BOOLEAN.true, *_BOOLEAN.false):
        return word in _BOOLEAN.true
    return cell

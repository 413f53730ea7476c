"""Surveys the raw columns of a source: missing values, distinct values, type and format."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import cast

import numpy as np
import polars as pl

from loan_platform.core.book.column_types import BLANKS
from loan_platform.core.drafting.reading.names import identifiers, split_words
from loan_platform.core.drafting.reading.numbers import as_numbers
from loan_platform.core.drafting.reading.readings import NOTHING_STATED, Reading, Stated, readings
from loan_platform.core.drafting.reading.special_codes import SpecialCode
from loan_platform.core.drafting.reading.vocabulary import Words, normal
from loan_platform.core.evaluation.row_sample import sampled_rows

MAX_COUNTED_VALUES = 60  # of which rows are counted by value
SAMPLE_ROWS = 200_000
LONG_TEXT = 40
MIN_COUNTED_ROWS = 50
COUNTED = 0.995  # of the rows follow the one before; several files each begin at 0
NEARLY_UNIQUE = 0.95


@dataclass(frozen=True)
class RawColumn:
    """One column of the source.

    Attributes:
        raw: its name in lower case, as SQL finds it.
        label: its name as the file has it.
        name: what the contract calls it.
        rows: rows looked at; `stated`: those with a value; `distinct`: different values.
        length: mean length of the values; `longest`: most characters of one.
        blanks: share of the different values with a blank inside.
        reading: what the values are.
        counts: rows of each value, commonest first, where there are at most 60.
        same_as: an earlier raw column with the same value in every row.
        own_marks: texts that mean a missing value here, and are a value of another column.
        counter: it counts the rows of the file, or is the index of a table without a name of its own.
        code: the special code that the column of the contract tells from all else, None for the raw column itself.
    """

    raw: str
    label: str
    name: str
    rows: int
    stated: int
    distinct: int
    length: float
    longest: int
    blanks: float
    reading: Reading
    counts: dict[str, int]
    same_as: str | None = None
    own_marks: tuple[str, ...] = ()
    counter: bool = False
    code: SpecialCode | None = None

    @cached_property
    def words(self) -> Words:
        """The words of the name in the spelling of the vocabulary."""
        return normal(split_words(self.label))

    @property
    def missing(self) -> float:
        """Share of rows without a value."""
        return 1 - self.stated / self.rows

    @property
    def missing_beside_codes(self) -> float:
        """Share of rows without a value and without a special code."""
        return self.missing - sum(code.rows for code in self.reading.codes) / self.rows


def survey(texts: pl.DataFrame, labels: dict[str, str], stated: Stated = NOTHING_STATED) -> dict[str, RawColumn]:
    """Every raw column, in the order of the file.

    Args:
        texts: the raw columns as text (String), missing values null.
        labels: each raw column's name as the file has it, in the order of the file.
        stated: what is known beside the texts.
    """
    named = dict(zip(labels, identifiers(labels.values()).values(), strict=True))
    tables = {raw: _table(texts[raw]) for raw in labels}
    words = {raw: normal(split_words(label)) for raw, label in labels.items()}
    read = readings(tables, words, stated)
    twins = _same(texts.select(labels.keys()), tables)
    return {
        raw: replace(
            _column(raw, labels[raw], named[raw], texts.height, tables[raw], read[raw], twins.get(raw)),
            counter=_is_counter(texts[raw], read[raw], words[raw], stated.rows or texts.height),
        )
        for raw in labels
    }


def _is_counter(texts: pl.Series, reading: Reading, words: Words, rows: int) -> bool:
    """Whether the numbers rise from 0 or 1 by one from row to row of the file.

    In a column without a name it is enough that they rise, or that hardly two are the same: the index of a table that
    lost rows, or was shuffled.
    """
    if reading.type != "integer" or reading.style is None or len(texts) < MIN_COUNTED_ROWS:
        return False
    numbers = pl.DataFrame({"text": texts.str.strip_chars()}).select(as_numbers(reading.style)).to_series()
    steps = numbers.diff().drop_nulls()
    enough = COUNTED * (len(texts) - 1)
    first = numbers.min()
    counted = np.diff(sampled_rows(rows, SAMPLE_ROWS))
    if first in (0, 1) and len(counted) == len(numbers) - 1 and int((numbers.diff()[1:] == counted).sum()) >= enough:
        return True
    nameless = not words or words[0] == "unnamed"
    return nameless and (int((steps > 0).sum()) >= enough or numbers.n_unique() >= NEARLY_UNIQUE * len(texts))


def _table(values: pl.Series) -> pl.DataFrame:
    """Distinct trimmed texts with their rows, commonest first."""
    text = pl.col("text").str.strip_chars(BLANKS)
    table = pl.DataFrame({"text": values}).select(text).filter(pl.col("text") != "")
    return table.group_by("text").agg(pl.len().alias("count")).sort("count", "text", descending=[True, False])


def _column(
    raw: str, label: str, name: str, rows: int, table: pl.DataFrame, reading: Reading, same_as: str | None
) -> RawColumn:
    stated = table.filter(~pl.col("text").is_in(list(reading.no_values)))
    few = stated.height <= MAX_COUNTED_VALUES
    length = stated.select((pl.col("text").str.len_chars() * pl.col("count")).sum() / pl.col("count").sum()).item()
    return RawColumn(
        raw=raw,
        label=label,
        name=name,
        rows=rows,
        stated=int(stated["count"].sum()),
        distinct=stated.height,
        length=float(length or 0.0),
        longest=cast("int | None", stated["text"].str.len_chars().max()) or 0,
        blanks=int(stated["text"].str.contains(r"\s").sum()) / max(stated.height, 1),
        reading=reading,
        counts=dict(stated.iter_rows()) if few else {},
        same_as=same_as,
    )


def _same(texts: pl.DataFrame, tables: dict[str, pl.DataFrame]) -> dict[str, str]:
    """Columns that repeat an earlier one of more than two values, row by row."""
    found: dict[str, str] = {}
    first: dict[tuple[int, int], list[str]] = {}
    for raw, table in tables.items():
        if table.height <= 2:
            continue
        shape = (table.height, int(table["count"].sum()))
        twin = next((other for other in first.get(shape, []) if texts[other].equals(texts[raw])), None)
        if twin is None:
            first.setdefault(shape, []).append(raw)
        else:
            found[raw] = twin
    return found

"""All keys of a contract file, and its linked tables."""

from functools import cached_property

from pydantic import Field

from loan_platform.core.book.parts.columns import Column, Layout, Target
from loan_platform.core.book.parts.features import Exposure, Feature, RowRule
from loan_platform.core.book.parts.strict import Name, Strict, Text, is_empty

ALWAYS_MISSING = ("", "NaN", "nan")
MISSING_MARKERS = ("", "NA", "N/A", "n/a", "NULL", "null", "None", "#N/A")


class SourceTable(Strict):
    """One source of a book of linked files. Each source is staged alone; the join then gives one row per loan."""

    name: Name = Field(
        description="Name of the source in `defs.yaml`. `loans` is the one that applications replace in scoring."
    )
    description: Text = Field(description="What one row is.")
    key: tuple[Name, ...] = Field(
        default=(),
        description="Columns that identify a row. A second row with the same key is quarantined. A key is read as "
        "`entity_key` says, in every table that has the column.",
    )
    as_of: Name | None = Field(
        default=None,
        description="Date column: the day from which a row is known. A check repeats the join with the rows that "
        "were known on past days. The row of a loan decided on such a day must not change.",
    )
    columns: tuple[Column, ...] = Field(min_length=1, description="Typed columns of the source.")

    @cached_property
    def by_name(self) -> dict[str, Column]:
        """Columns by name."""
        return {column.name: column for column in self.columns}


class ContractParts(Strict):
    """All keys of a contract file. `Contract` also validates that they fit together."""

    description: Text = Field(description="Which loans these are and where the data is from, for the model card.")
    entity_key: Name = Field(
        description="Column that identifies a loan. Of several rows of a loan in `loans`, the first is accepted and "
        "the others are quarantined; for `applications` and `outcomes`, `same_key` of the source decides. In a key of "
        "text, `1077501.0` is `1077501`. A number with other decimals, separated thousands, or an exponent with a plus "
        "or decimals (`1e+06`, `1.0775e6`) is no key: its row is quarantined. `2e5` may be an identifier and is a key."
    )
    event_date: Name | None = Field(
        default=None, description="Column with the date of the credit decision. Leave it out if the book has no dates."
    )
    missing: tuple[str, ...] = Field(
        default=MISSING_MARKERS,
        description="Texts that mean a missing value: in CSV and Parquet files, in CSV requests, and in text fields of "
        "JSON. The empty text and NaN always do.",
    )
    tables: tuple[SourceTable, ...] = Field(
        default=(), description="Sources of a book of several linked files. Each is staged before the join."
    )
    join: Text | None = Field(
        default=None,
        description="DuckDB SQL over the staged tables that gives one row per loan, with the `source_file` and "
        "`source_line` of the loan. `columns` and `target` then read this row instead of a row of a file.",
    )
    columns: tuple[Column, ...] = Field(min_length=1, description="Typed columns of a loan.")
    layouts: tuple[Layout, ...] = Field(
        default=(),
        description="Files that write some columns differently, recognised by their header. "
        "Not for a book of linked files.",
    )
    target: Target = Field(description="How default is derived from the raw row.")
    row_rules: tuple[RowRule, ...] = Field(
        default=(),
        exclude_if=is_empty,
        description="Conditions over several columns that every row must keep. They may read the columns that are "
        "available at application.",
    )
    exposure: Exposure | None = Field(
        default=None,
        description="Exposure at default of a loan. Without it expected losses are shares of the exposure.",
    )
    features: tuple[Feature, ...] = Field(min_length=1, description="Inputs of the model.")
    forbidden_features: tuple[Name, ...] = Field(
        default=(), description="Columns that no feature may read, whatever their own keys allow."
    )

    @cached_property
    def critical_rules(self) -> tuple[RowRule, ...]:
        """The row rules that reject a row."""
        return tuple(rule for rule in self.row_rules if rule.severity == "critical")

    @cached_property
    def missing_texts(self) -> tuple[str, ...]:
        """Texts that mean a missing value, for every reader."""
        return tuple(dict.fromkeys((*ALWAYS_MISSING, *self.missing)))

    @cached_property
    def by_name(self) -> dict[str, Column]:
        """Columns by name."""
        return {column.name: column for column in self.columns}

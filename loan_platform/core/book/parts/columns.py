"""The columns of a contract, their layouts in different files, and the target."""

from functools import cached_property
from typing import Literal

from pydantic import AliasChoices, Field

from loan_platform.core.book.parts.strict import Name, Strict, Text, is_empty, is_none
from loan_platform.core.book.sql import columns_read, quote_identifier

AvailableAt = Literal["application", "pricing", "after_origination"]


MAX_TEXT_LENGTH = 1_000  # characters of a text whose column states no length
MAX_KEY_LENGTH = 128
MAX_STATED_LENGTH = 4_000  # of any column; files and jobs refuse values above 16,384 bytes before they are typed


def plain_name(name: str) -> str:
    """The name of a raw column as headers are compared: without spaces around it, in lower case."""
    return name.strip().lower()


class Column(Strict):
    """One typed column of a loan. Its value is computed from the raw row of the file."""

    name: Name = Field(description="Name of the typed column. Features and reports use it.")
    description: Text = Field(description="What the value means, for the data page, the model card and reports.")
    type: Literal["number", "integer", "percent", "boolean", "date", "text"] = Field(
        description="How the raw text is parsed. The value of a `percent` is 11.22, as in 11.22 or 11.22%."
    )
    sql: str | None = Field(
        default=None,
        description="DuckDB SQL over the raw row that gives the text to parse. All raw values are text. "
        "`source_file` and `source_line` are the name of the file and the line (in Parquet the number) of the row. "
        'Default: the raw column of the same name. Example: `"Gross Salary"`.',
    )
    sources: tuple[Text, ...] = Field(
        default=(),
        exclude_if=is_empty,
        description="Names of the raw column in different files, such as `[ID, Client No]`. `sql` uses the first name, "
        "and reads the column of a file that has any of them. A file with two of them is rejected.",
    )
    decimal: Literal[","] | None = Field(
        default=None,
        description="`,` if numbers are written as 1.234,56. No other format is then accepted. Default: 1,234.56.",
    )
    date_format: str | None = Field(
        default=None,
        description="Format of all dates, in strptime codes, such as `%d.%m.%Y` or `%Y%m`; or `excel_days` (44197), "
        "`excel_days_1904` (of workbooks that count from 1904), `year_quarter` (2021Q1, Q1 2021), `iso_week` "
        "(2022-W05). A month, quarter or week is its first day. Numbers that nothing separates need all digits. With "
        "`%y`, a year may also have four digits. Default: formats that start with the year, also with a time of day, "
        "or that name the month. The day counts as it is written, whatever the offset from UTC.",
    )
    written_as: Literal["percent", "fraction"] | None = Field(
        default=None,
        description="How files write a `percent` column: `percent` (11.22, the default) or `fraction` (0.1122). The "
        "value is 11.22 in both cases, and requests give 11.22. A text with a % sign is always a percentage. A file "
        "that contradicts it is rejected.",
    )
    unit: str | None = Field(default=None, description="Unit, for display only: USD, months, %, points.")
    required: bool = Field(
        default=False, description="A file without the column is rejected. A row without the value is quarantined."
    )
    required_in_file: bool = Field(
        default=False,
        validation_alias=AliasChoices("required_in_file", "every_file"),
        description="A file without the column is rejected. A row may lack the value.",
    )
    minimum: float | None = Field(default=None, description="Smallest valid value, in the column's unit. Numbers only.")
    maximum: float | None = Field(default=None, description="Largest valid value, in the column's unit. Numbers only.")
    max_length: int | None = Field(
        default=None,
        ge=1,
        le=MAX_STATED_LENGTH,
        exclude_if=is_none,
        description="Most characters of a text, without spaces around it; a longer one is invalid. Default: 1,000. A "
        "key has at most 128 in any case.",
    )
    allowed: tuple[str, ...] | None = Field(
        default=None,
        description="Categories of a text column, in the spelling to use. Case and spacing of raw values are ignored.",
    )
    available_at: AvailableAt = Field(
        default="application",
        validation_alias=AliasChoices("available_at", "known"),
        description="When the lender first has the value. `application`: when the applicant applies. `pricing`: when "
        "the lender sets the price; a feature may read it only with `training.use_pricing`. `after_origination`: "
        "later; a feature never may, because that would be a leak.",
    )
    protected: bool = Field(default=False, description="Protected attribute, such as sex. No feature may read it.")
    on_invalid: Literal["quarantine", "null"] = Field(
        default="quarantine",
        description="What happens to a row with an invalid value. `quarantine` removes the row. `null` keeps the row, "
        'makes the value missing and counts it by reason. Write `"null"` in quotes.',
    )
    severity: Literal["critical", "warning"] = Field(
        default="critical",
        description="Effect of a failed rule on this column. `critical` stops the run, `warning` does not.",
    )
    max_missing: float = Field(
        default=1.0, ge=0, le=1, description="Largest expected share of missing values, such as 0.05 for 5 %."
    )

    def longest(self, is_key: bool) -> int | None:
        """Most characters of a value; None for columns that are no free text.

        Args:
            is_key: whether the column is a key of its table.
        """
        if self.type != "text" or self.allowed is not None:
            return None
        length = MAX_TEXT_LENGTH if self.max_length is None else self.max_length
        return min(length, MAX_KEY_LENGTH) if is_key else length

    @cached_property
    def source_sql(self) -> str:
        """The SQL over the raw row, also where the contract leaves it out."""
        return self.sql if self.sql is not None else quote_identifier(self.sources[0] if self.sources else self.name)

    @cached_property
    def raw_columns(self) -> frozenset[str]:
        """Raw columns that the SQL reads, in lower case."""
        return columns_read(self.source_sql)


class LayoutColumn(Strict):
    """How one column is written in the files of a layout. An absent key has the value of the column."""

    name: Name = Field(description="Column of the contract.")
    written_as: Literal["percent", "fraction"] | None = Field(default=None, description="As in `columns`.")
    decimal: Literal[",", "."] | None = Field(default=None, description="As in `columns`. `.` means 1,234.56.")
    date_format: str | None = Field(default=None, description="As in `columns`.")

    def applied(self, column: Column) -> Column:
        """The column as the files of the layout write it."""
        changes: dict[str, str | None] = {}
        if self.written_as is not None:
            changes["written_as"] = self.written_as
        if self.decimal is not None:
            changes["decimal"] = None if self.decimal == "." else self.decimal
        if self.date_format is not None:
            changes["date_format"] = self.date_format
        return column.model_copy(update=changes)


class Layout(Strict):
    """Files of the same source that write some columns differently. The header decides, never a value."""

    name: Name = Field(description="Name of the layout, for reports.")
    description: Text = Field(description="Which files these are.")
    header_has: tuple[Text, ...] = Field(
        min_length=1,
        description="Raw columns, in lower case, by any of their `sources`. A file with all of them is of this layout. "
        "If several layouts fit, the first one counts.",
    )
    columns: tuple[LayoutColumn, ...] = Field(min_length=1, description="Columns that are written differently.")

    @cached_property
    def by_name(self) -> dict[str, LayoutColumn]:
        """Columns by name."""
        return {column.name: column for column in self.columns}


class Target(Strict):
    """Definition of default."""

    sql: Text = Field(
        description="DuckDB SQL over the raw row: 1 default, 0 repaid, null outcome not known yet. "
        "Example: `CASE status WHEN 'Charged Off' THEN 1 WHEN 'Fully Paid' THEN 0 END`."
    )
    sources: tuple[Text, ...] = Field(
        default=(),
        exclude_if=is_empty,
        description="Names of the raw column with the outcome in different files. `sql` uses the first name, and reads "
        "the column of a file that has any of them. A file with two of them is rejected.",
    )
    description: Text = Field(description="Definition of default in words, for the model card.")

    @cached_property
    def raw_columns(self) -> frozenset[str]:
        """Raw columns that the SQL reads, in lower case."""
        return columns_read(self.sql)

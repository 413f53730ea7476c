"""The parts of a contract as plain data: columns, target, features, linked tables."""

from functools import cached_property
from typing import Annotated, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, StringConstraints

from loan_platform.core.book.sql import columns_read, quote_identifier

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Share = Annotated[float, Field(ge=0, le=1)]
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
AvailableAt = Literal["application", "pricing", "after_origination"]

ALWAYS_MISSING = ("", "NaN", "nan")
MISSING_MARKERS = ("", "NA", "N/A", "n/a", "NULL", "null", "None", "#N/A")


def _is_empty(value: tuple[str, ...]) -> bool:
    """Contracts without the key have the same bytes, in bundles and hashes, as before it existed."""
    return not value


def _is_average(value: str) -> bool:
    """As `_is_empty`."""
    return value == "average"


def plain_name(name: str) -> str:
    """The name of a raw column as headers are compared: without spaces around it, in lower case."""
    return name.strip().lower()


class Strict(BaseModel):
    """Base of everything that is read from YAML. Unknown keys are rejected, and values never change.

    A field with a new name has `validation_alias=AliasChoices(new name, old name)`: files with the old name still load.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


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
        exclude_if=_is_empty,
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
        exclude_if=_is_empty,
        description="Names of the raw column with the outcome in different files. `sql` uses the first name, and reads "
        "the column of a file that has any of them. A file with two of them is rejected.",
    )
    description: Text = Field(description="Definition of default in words, for the model card.")

    @cached_property
    def raw_columns(self) -> frozenset[str]:
        """Raw columns that the SQL reads, in lower case."""
        return columns_read(self.sql)


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


class Feature(Strict):
    """One input of the model, computed from typed columns."""

    name: Name = Field(description="Name of the input. Reports and reason codes use it.")
    sql: Text = Field(
        description="SQL over the contract's columns of one loan, evaluated by Polars. Example: `ln(income + 1)`."
    )
    description: Text = Field(description="What the feature means, with its unit.")
    reason: Text = Field(description="Reason text for the applicant when the feature lowers the score.")
    reason_not_known: Text | None = Field(
        default=None,
        description="Reason text when the value is missing. Default: `missing_means`; without it `Not known: ` and the "
        "description up to its first semicolon.",
    )
    missing_means: Text | None = Field(
        default=None,
        description="What a missing value means, if it is a fact, such as `no delinquency`. It is then no reason, "
        "unless there is no other. The applicant is then told this text.",
    )
    reason_group: Name | None = Field(
        default=None,
        validation_alias=AliasChoices("reason_group", "cause"),
        description="Features of the same group are reported as one reason, with the text of the feature that counts "
        "most. Example: `late_payments`. Default: the feature is reported alone.",
    )
    kind: Literal["number", "category"] = Field(
        default="number", description="Result of the SQL. `category` is a text with few different values."
    )
    monotone: Literal["increasing", "decreasing"] | None = Field(
        default=None,
        description="Constraint on the model: how the probability of default may change as the feature rises. "
        "Default: no constraint.",
    )
    when_undefined: Literal["highest_risk", "lowest_risk", "largest", "smallest", "missing"] | None = Field(
        default=None,
        description="What the feature is when its inputs are known and its SQL has no finite result, as in a division "
        "by 0. `highest_risk` and `lowest_risk` are an end of its values by the direction of `monotone`; a monotone "
        "feature that divides must state this key. `largest` and `smallest` are for features without a direction. The "
        "end is the 99.5 % or 0.5 % quantile of the training loans. Default: `missing`.",
    )

    when_missing: Literal["average", "worst", "refer"] = Field(
        default="average",
        exclude_if=_is_average,
        description="What a missing value, or a category, is that training saw too seldom to learn "
        "(`training.min_state_rows`). `average`: a value whose loans default about as often as all. `worst`: the "
        "riskiest value, by the direction of `monotone` or else by the default rates. `refer`: as `average`, and the "
        "application is referred to a person, with the feature as the reason.",
    )

    @cached_property
    def columns(self) -> frozenset[str]:
        """Contract columns that the SQL reads."""
        return columns_read(self.sql)


class RowRule(Strict):
    """A condition over several columns that every sound row keeps, in files and in requests."""

    name: Name = Field(description="Name of the rule. Checks, reports and refusals use it.")
    sql: Text = Field(
        description="SQL over the contract's columns of one loan that is true for a sound row. A row for which it is "
        "null, because a value is missing, keeps the rule. DuckDB runs it on files and Polars on requests. "
        "Example: `open_accounts <= all_accounts`."
    )
    message: Text = Field(
        description="What is wrong with a row that breaks the rule, for a person and without values. Example: `there "
        "are more open accounts than accounts`."
    )
    severity: Literal["critical", "warning"] = Field(
        default="critical",
        description="`critical`: a row of a file that breaks the rule is quarantined, and an application is rejected. "
        "`warning`: such rows of files are counted, and applications are scored.",
    )

    @cached_property
    def columns(self) -> frozenset[str]:
        """Contract columns that the SQL reads."""
        return columns_read(self.sql)

    @property
    def statement(self) -> str:
        """Name and message, as reports of quarantined and rejected rows have them."""
        return f"{self.name}: {self.message}"


class Exposure(Strict):
    """Exposure at default (EAD): the amount that is owed when a loan defaults."""

    sql: Text = Field(
        description="SQL over the contract's columns of one loan, evaluated by Polars. Example: `loan_amount`."
    )
    description: Text = Field(description="What the amount is, with its unit.")


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
        exclude_if=_is_empty,
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

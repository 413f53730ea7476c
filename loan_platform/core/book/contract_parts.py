"""The parts of a contract as plain data: columns, target, features, linked tables."""

from functools import cached_property
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from loan_platform.core.book.sql import columns_read

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
KnownAt = Literal["application", "pricing", "after_origination"]

MISSING_MARKERS = ("", "NA", "N/A", "n/a", "NULL", "null", "None", "#N/A")


class Strict(BaseModel):
    """Base of everything read from YAML: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Column(Strict):
    """One typed column of a loan, staged from the raw row."""

    name: Name = Field(description="Name of the typed column; features and reports use it.")
    description: Text = Field(description="What the value is, for people: data page, model card, reports.")
    type: Literal["number", "integer", "percent", "boolean", "date", "text"] = Field(
        description="How the raw text is parsed. `percent` takes 11.22, ' 11.22%' or 0.1122, holds 11.22."
    )
    sql: str | None = Field(
        default=None,
        description="DuckDB SQL over the raw row (all text) that gives the text to parse; default: the raw "
        "column of the same name.",
    )
    decimal: Literal[","] | None = Field(
        default=None,
        description="`,`: the numbers are written as 1.234,56 and no other way; default: as 1,234.56.",
    )
    date_format: str | None = Field(
        default=None,
        description="The one format of the dates, as in strptime (%d.%m.%Y); default: year first, or month by name.",
    )
    unit: str | None = Field(default=None, description="For people: USD, months, %, points.")
    required: bool = Field(default=False, description="A file without it is refused, a row without it quarantined.")
    every_file: bool = Field(
        default=False, description="A file without it is refused, although a row may lack the value."
    )
    minimum: float | None = Field(default=None, description="Smallest value that can be right; numbers only.")
    maximum: float | None = Field(default=None, description="Largest value that can be right; numbers only.")
    allowed: tuple[str, ...] | None = Field(
        default=None,
        description="The categories of a text column, as they are to be spelt; raw case and spacing are ignored.",
    )
    known: KnownAt = Field(
        default="application",
        description="When the lender first knows the value: when the applicant applies, when the lender prices "
        "(a feature may read it only with `training.use_pricing`), or later (never a feature).",
    )
    protected: bool = Field(default=False, description="A protected attribute: never a feature.")
    on_invalid: Literal["quarantine", "null"] = Field(
        default="quarantine", description="`null` keeps the row without the value and counts it by reason."
    )
    severity: Literal["critical", "warning"] = Field(
        default="critical", description="What a broken expectation on this column does: block, or warn."
    )
    max_missing: float = Field(default=1.0, ge=0, le=1, description="Largest expected share of missing values.")

    @cached_property
    def source_sql(self) -> str:
        """The SQL over the raw row, spelled out."""
        return self.sql if self.sql is not None else f'"{self.name}"'

    @cached_property
    def raw_columns(self) -> frozenset[str]:
        """Raw columns that this column is made from."""
        return columns_read(self.source_sql)


class Target(Strict):
    """What counts as default."""

    sql: Text = Field(description="DuckDB SQL over the raw row: 1 default, 0 repaid, null outcome not known yet.")
    description: Text = Field(description="What counts as default, in words, for the model card.")


class SourceTable(Strict):
    """One source of a book of linked files: it is cleaned by itself, then all are joined to one row per loan."""

    name: Name = Field(description="Name of the source in `defs.yaml`; `loans` is the one that applications replace.")
    description: Text = Field(description="What a row is, for people.")
    key: tuple[Name, ...] = Field(
        default=(), description="Columns that identify a row: a second row of the same key is quarantined."
    )
    as_of: Name | None = Field(
        default=None,
        description="Date column from which on a row is known. The join is tried with only what was known on a day: "
        "what it says of that day's loans must not change.",
    )
    columns: tuple[Column, ...] = Field(min_length=1, description="Typed columns, staged from the raw row.")

    @cached_property
    def by_name(self) -> dict[str, Column]:
        """Columns by name."""
        return {column.name: column for column in self.columns}


class Feature(Strict):
    """One input of the model, computed from typed columns."""

    name: Name = Field(description="Name of the model's input; reports and reason codes use it.")
    sql: Text = Field(description="SQL over the contract's columns, run by Polars row by row.")
    description: Text = Field(description="What the feature is, with its unit.")
    reason: Text = Field(description="What the applicant is told when this feature lowered the score.")
    reason_not_known: Text | None = Field(
        default=None, description="What is told instead where the feature has no value; none: that it is not known."
    )
    cause: Name | None = Field(
        default=None,
        description="One name for features that say the same; reasons give it once, in the words of the weightiest.",
    )
    kind: Literal["number", "category"] = Field(
        default="number", description="What the SQL gives: a number, or a text that is one of a few categories."
    )
    monotone: Literal["increasing", "decreasing"] | None = Field(
        default=None,
        description="The only way in which the probability of default may move as the feature rises; none: either way.",
    )

    @cached_property
    def columns(self) -> frozenset[str]:
        """Contract columns that this feature reads."""
        return columns_read(self.sql)


class Exposure(Strict):
    """What the lender stands to lose on a loan."""

    sql: Text = Field(
        description="SQL over the contract's columns, run by Polars row by row: what is owed at default (EAD)."
    )
    description: Text = Field(description="What it is, with its unit.")


class ContractParts(Strict):
    """What a contract file states, part by part; `Contract` also holds that the parts agree."""

    description: Text = Field(description="Which loans these are and where they come from, for the model card.")
    entity_key: Name = Field(description="Column that identifies a loan; a second row of the same loan is quarantined.")
    event_date: Name | None = Field(
        default=None, description="Column with the date of the decision; none for a book without dates."
    )
    missing: tuple[str, ...] = Field(default=MISSING_MARKERS, description="Raw texts that mean: not stated.")
    tables: tuple[SourceTable, ...] = Field(
        default=(), description="For a book of several linked files: what each is cleaned to before they are joined."
    )
    join: Text | None = Field(
        default=None,
        description="DuckDB SQL over the cleaned tables that gives one row per loan, with the `source_file` and "
        "`source_line` it came from; `columns` and `target` then read its row instead of a file's.",
    )
    columns: tuple[Column, ...] = Field(min_length=1, description="The typed columns of a loan.")
    target: Target = Field(description="How default is told from the raw row.")
    exposure: Exposure | None = Field(
        default=None, description="What is at stake on a loan; none: expected losses are shares of what is owed."
    )
    features: tuple[Feature, ...] = Field(min_length=1, description="The inputs of the model.")
    forbidden_features: tuple[Name, ...] = Field(
        default=(), description="Columns that no feature may read, whatever they say of themselves."
    )

    @cached_property
    def by_name(self) -> dict[str, Column]:
        """Columns by name."""
        return {column.name: column for column in self.columns}

"""The contract of a portfolio: which columns a loan has, what counts as default, what the model may see."""

from collections import Counter
from collections.abc import Iterator
from difflib import get_close_matches
from functools import cached_property
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from loan_platform.core.sql import SqlError, columns_read

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
KnownAt = Literal["application", "pricing", "after_origination"]

RESERVED = frozenset({"target", "source_file", "source_line", "probability", "score", "row"})
MISSING_MARKERS = ("", "NA", "N/A", "n/a", "NULL", "null", "None", "#N/A")


class Strict(BaseModel):
    """Base of everything read from YAML: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Column(Strict):
    """One typed column of a loan, staged from the raw row."""

    name: Name
    description: Text
    type: Literal["number", "integer", "percent", "boolean", "date", "text"] = Field(
        description="How the raw text is parsed. `percent` takes 11.22, ' 11.22%' or 0.1122, holds 11.22."
    )
    sql: str | None = Field(
        default=None,
        description="DuckDB SQL over the raw row (all text) that gives the text to parse; default: the raw "
        "column of the same name.",
    )
    unit: str | None = Field(default=None, description="For people: USD, months, %, points.")
    required: bool = Field(default=False, description="A file without it is refused, a row without it quarantined.")
    every_file: bool = Field(
        default=False, description="A file without it is refused, although a row may lack the value."
    )
    minimum: float | None = None
    maximum: float | None = None
    allowed: tuple[str, ...] | None = Field(default=None, description="The categories of a text column.")
    known: KnownAt = Field(default="application", description="When the lender first knows the value.")
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
    description: Text


class Feature(Strict):
    """One input of the model, computed from typed columns."""

    name: Name
    sql: Text = Field(description="SQL over the contract's columns, run by Polars row by row.")
    description: Text
    reason: Text = Field(description="What the applicant is told when this feature lowered the score.")
    kind: Literal["number", "category"] = "number"
    monotone: Literal["increasing", "decreasing"] | None = Field(
        default=None, description="How the probability of default may move as the feature rises."
    )

    @cached_property
    def columns(self) -> frozenset[str]:
        """Contract columns that this feature reads."""
        return columns_read(self.sql)


class Problem(NamedTuple):
    """One mistake in a contract: where (key path) and why."""

    path: str
    reason: str


class Contract(Strict):
    """Columns, target and features of one loan book."""

    description: Text
    entity_key: Name = Field(description="Column that identifies a loan.")
    event_date: Name | None = Field(
        default=None, description="Column with the date of the decision; none for a book without dates."
    )
    missing: tuple[str, ...] = Field(default=MISSING_MARKERS, description="Raw texts that mean: not stated.")
    columns: tuple[Column, ...] = Field(min_length=1)
    target: Target
    features: tuple[Feature, ...] = Field(min_length=1)
    forbidden_features: tuple[Name, ...] = Field(
        default=(), description="Columns that no feature may read, whatever they say of themselves."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if problems := list(_problems(self)):
            raise ValueError("\n".join(f"{path}: {reason}" for path, reason in problems))
        return self

    @cached_property
    def by_name(self) -> dict[str, Column]:
        """Columns by name."""
        return {column.name: column for column in self.columns}

    def features_for(self, use_pricing: bool) -> tuple[Feature, ...]:
        """Features the model may use: those that read the lender's own pricing only where that is allowed."""
        return tuple(f for f in self.features if use_pricing or not self._reads_pricing(f))

    def application_columns(self, use_pricing: bool) -> tuple[Column, ...]:
        """Columns that the allowed features read, in contract order: what a caller must know."""
        read = frozenset[str]().union(*(f.columns for f in self.features_for(use_pricing)))
        return tuple(column for column in self.columns if column.name in read)

    def _reads_pricing(self, feature: Feature) -> bool:
        return any(self.by_name[name].known == "pricing" for name in feature.columns)


def _problems(contract: Contract) -> Iterator[Problem]:
    yield from _duplicates("columns", [c.name for c in contract.columns])
    yield from _duplicates("features", [f.name for f in contract.features])
    yield from _reserved(contract)
    for key in ("entity_key", "event_date"):
        if (name := getattr(contract, key)) is not None and name not in contract.by_name:
            yield Problem(key, f"no column {name!r}{_closest(name, contract)}")
    for i, column in enumerate(contract.columns):
        yield from _column_problems(f"columns[{i}]", column)
    yield from _sql_problems("target.sql", contract.target.sql)
    for i, feature in enumerate(contract.features):
        yield from _feature_problems(f"features[{i}]", feature, contract)
    for i, name in enumerate(contract.forbidden_features):
        if name not in contract.by_name:
            yield Problem(f"forbidden_features[{i}]", f"no column {name!r}{_closest(name, contract)}")


def _duplicates(path: str, names: list[str]) -> Iterator[Problem]:
    for name, count in Counter(names).items():
        if count > 1:
            yield Problem(path, f"the name {name!r} is used {count} times")


def _reserved(contract: Contract) -> Iterator[Problem]:
    for i, column in enumerate(contract.columns):
        if column.name in RESERVED:
            yield Problem(f"columns[{i}].name", f"{column.name!r} is a name that the platform uses itself")
    taken = RESERVED | {contract.entity_key, contract.event_date}
    for i, feature in enumerate(contract.features):
        if feature.name in taken:
            yield Problem(f"features[{i}].name", f"{feature.name!r} is the key, the date or the platform's own")


def _column_problems(path: str, column: Column) -> Iterator[Problem]:
    yield from _sql_problems(f"{path}.sql", column.source_sql)
    low, high = column.minimum, column.maximum
    if (low is not None or high is not None) and column.type not in ("number", "integer", "percent"):
        yield Problem(path, f"a {column.type} column has no range")
    if low is not None and high is not None and low > high:
        yield Problem(path, f"minimum {low} is above maximum {high}")
    if column.allowed is not None and column.type != "text":
        yield Problem(f"{path}.allowed", f"only a text column has categories, {column.name!r} is {column.type}")


def _feature_problems(path: str, feature: Feature, contract: Contract) -> Iterator[Problem]:
    if problems := list(_sql_problems(f"{path}.sql", feature.sql)):
        yield from problems
        return
    where = f"feature {feature.name!r} reads"
    for name in sorted(feature.columns):
        column = contract.by_name.get(name)
        if column is None:
            yield Problem(f"{path}.sql", f"{where} {name!r}, which is no column{_closest(name, contract)}")
        elif column.known == "after_origination":
            yield Problem(f"{path}.sql", f"{where} {name!r}, which is known only after origination (a leak)")
        elif column.protected:
            yield Problem(f"{path}.sql", f"{where} the protected column {name!r}")
        elif name in contract.forbidden_features:
            yield Problem(f"{path}.sql", f"{where} {name!r}, which forbidden_features excludes")
    if feature.kind == "category" and feature.monotone:
        yield Problem(f"{path}.monotone", "a category has no direction")


def _sql_problems(path: str, sql: str) -> Iterator[Problem]:
    try:
        columns_read(sql)
    except SqlError as error:
        yield Problem(path, str(error))


def _closest(name: str, contract: Contract) -> str:
    close = get_close_matches(name, list(contract.by_name), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""

"""One application as a caller sends it: JSON values by the contract's column names, checked and typed.

The rules are those for rows of a file. A wrong value is rejected with its field and a code, never with the value.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Self

import polars as pl

from loan_platform.core.applications.application_schema import ApplicationSchema
from loan_platform.core.applications.json_values import WrongValueError, key_text, parsers, simple_numbers
from loan_platform.core.book.close_names import did_you_mean
from loan_platform.core.book.column_types import NUMBERS, spelling, trimmed
from loan_platform.core.book.parts.columns import MAX_KEY_LENGTH, Column
from loan_platform.core.errors import ExplainedError, Issue
from loan_platform.core.features.row_rules import BrokenRulesError, broken_issues
from loan_platform.core.scoring.scoring_model import ScoringModel

MAX_ISSUES = 100  # of one rejected application
MAX_GUESSES = 5  # unknown fields that get a suggestion: each costs 0.5 ms
MAX_NAME_LENGTH = 64  # characters of an unknown name that a message repeats


class ApplicationError(ExplainedError, ValueError):
    """An application that cannot be scored, with an issue for each wrong field."""

    def __init__(self, issues: list[Issue]) -> None:
        super().__init__("; ".join(f"{issue.path}: {issue.detail}" for issue in issues))
        self.issues = issues

    @classmethod
    def from_broken_rules(cls, error: BrokenRulesError, row: int, columns: Iterable[str]) -> Self:
        """The error of one application of those that break row rules.

        Args:
            error: of a frame of applications.
            row: its number in the frame.
            columns: of the contract, in order.
        """
        return cls(broken_issues(error.broken[row], columns))


class ApplicationReader:
    """Reads applications for one model. Make it once per model; threads may share it.

    Attributes:
        application: the fields that an application may have.
        columns: of these fields, by name.
        key: the column that identifies the loan.
        required: names of the required fields.
        missing: texts that mean a missing value.
        schema: Polars type of each column that the model reads.
    """

    def __init__(self, model: ScoringModel) -> None:
        contract, self.missing = model.contract, frozenset(model.contract.missing_texts)
        self._features = model.feature_set
        self.key = contract.entity_key
        self.application = ApplicationSchema.from_model(model)
        self.columns, self.required = self.application.columns, self.application.required
        key = self.columns[self.key]
        self._key_is_unchecked = key.type != "text" or key.allowed is not None  # `_typed` checks a key of text
        lengths = {name: column.longest(name == self.key) for name, column in self.columns.items()}
        self._longest = {name: length for name, length in lengths.items() if length is not None}
        self._inputs = [column.name for column in model.inputs]
        strict, loose = parsers("json"), parsers("mlflow_json")
        self._parsers = {name: strict[column.type] for name, column in self.columns.items()}
        self._loose_parsers = {name: loose[column.type] for name, column in self.columns.items()}
        self._spellings = {
            name: {spelling(word): word for word in column.allowed}
            for name, column in self.columns.items()
            if column.allowed is not None
        }
        # Polars interns the column names of each frame that it makes of dicts. Unless they are held here, each request
        # adds them to the interpreter's table of interned strings again, which grew to 8 MB.
        self.schema = {sys.intern(name): dtype for name, dtype in model.feature_set.schema.items()}
        self._counted = frozenset(
            name for name in self._inputs if self.columns[name].type == "integer" and self.schema[name] == pl.Float64
        )
        self._simple = {
            name: simple_numbers(column)
            for name, column in self.columns.items()
            if column.type in NUMBERS and self.schema.get(name, pl.Float64) == pl.Float64
        }

    def read(self, values: Mapping[str, Any]) -> pl.DataFrame:
        """Read one application into a frame of one row, with the columns and types of `schema`.

        Args:
            values: JSON values by field name. An absent field and null are missing.

        Raises:
            ApplicationError: with every issue. Its code is `unknown_field`, `required`, `wrong_type`, `out_of_range`,
                `not_allowed` or `row_rule`.
        """
        frame = self.frame([self.inputs(values)])
        if broken := self.broken_rules(frame):
            raise ApplicationError(broken[0])
        return frame

    def frame(self, rows: Sequence[Sequence[Any]]) -> pl.DataFrame:
        """Rows of `inputs` as one frame, with the columns and types of `schema`."""
        return pl.from_dicts([dict(zip(self._inputs, row, strict=True)) for row in rows], schema=self.schema)

    def inputs(self, values: Mapping[str, Any]) -> list[Any]:
        """Read one application into typed values in the order of `schema`; None where one is missing.

        Args:
            values: as `read` takes them.

        Raises:
            ApplicationError: as `read` does, but for row rules, which the predictor checks with the features.
        """
        issues: list[Issue] = []
        typed: dict[str, Any] = {}
        for name, value in values.items():
            if len(issues) >= MAX_ISSUES:
                raise ApplicationError(issues)
            if name not in self.columns:
                unknown = sum(issue.code == "unknown_field" for issue in issues)
                issues.append(self._unknown(name, guess=unknown < MAX_GUESSES))
            elif (
                (simple := self._simple.get(name))
                and type(value) in simple.types
                and simple.low <= value <= simple.high
            ):
                typed[name] = float(value) + 0.0  # zero has no sign
            elif value is not None:
                try:
                    typed[name] = self._typed(name, value)
                except WrongValueError as wrong:
                    issues.append(Issue(name, wrong.detail, code=wrong.code))
        given = {name for name, value in typed.items() if value is not None} | {issue.path for issue in issues}
        issues += [Issue(name, "is required", code="required") for name in sorted(self.required - given)]
        if self._key_is_unchecked and self.key in typed:
            try:
                self.key_of(values)
            except ApplicationError as error:
                issues += error.issues
        if issues:
            raise ApplicationError(issues)
        return [typed.get(name) for name in self._inputs]

    def read_many(self, rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
        """Read rows of MLflow's scoring protocol into a frame with the columns and types of `schema`.

        The protocol writes some values in other forms. Ranges, categories and required values are those of `inputs`.
        Unknown fields are ignored.

        Raises:
            ApplicationError: as `inputs` does; the path of an issue is `rows[i].name`, or the name of a required column
                that no row has.
        """
        absent = {name for name in self.required if rows and not any(name in row for row in rows)}
        issues = [Issue(name, "must be a column of the rows", code="required") for name in sorted(absent)]
        typed: list[list[Any]] = []
        for i, row in enumerate(rows):
            if len(issues) >= MAX_ISSUES:
                break
            try:
                self.key_of(row)
            except ApplicationError as error:
                issues += [issue._replace(path=f"rows[{i}].{issue.path}") for issue in error.issues]
            typed.append([self._loose(f"rows[{i}].", name, row, issues, absent) for name in self._inputs])
        if issues:
            raise ApplicationError(issues[:MAX_ISSUES])
        return pl.DataFrame(typed, schema=self.schema, orient="row")

    def broken_rules(self, frame: pl.DataFrame, where: str = "") -> dict[int, list[Issue]]:
        """Issues of the rows of a frame that break critical row rules, by the number of the row.

        Args:
            frame: columns and types of `schema`.
            where: in front of the name of each column, with `{row}` for the number of the row.
        """
        broken = self._features.broken_rules(frame)
        return {row: broken_issues(rules, self.columns, where.format(row=row)) for row, rules in broken.items()}

    def key_of(self, values: Mapping[str, Any]) -> str | None:
        """The loan's key in an application, as files have it; None if it is missing or no text and no number.

        Raises:
            ApplicationError: it is too long, a number with decimals, an exponent or separated thousands, or an inexact
                float.
        """
        value = values.get(self.key)
        try:
            key = key_text(value)
            _check_length(key, MAX_KEY_LENGTH)
        except WrongValueError as wrong:
            raise ApplicationError([Issue(self.key, wrong.detail, code=wrong.code)]) from None
        return None if key in self.missing else key

    def _loose(
        self, where: str, name: str, row: Mapping[str, Any], issues: list[Issue], absent: AbstractSet[str]
    ) -> Any:
        value, found = row.get(name), None
        try:
            if value is not None and (parsed := self._loose_parsers[name](value)) is not None:
                found = self._inside(name, parsed)
        except WrongValueError as wrong:
            issues.append(Issue(where + name, wrong.detail, code=wrong.code))
            return None
        if found is None and name in self.required and name not in absent:
            issues.append(Issue(where + name, "is required", code="required"))
        return found

    def _typed(self, name: str, value: Any) -> Any:
        return self._inside(name, self._parsers[name](value))

    def _inside(self, name: str, found: Any) -> Any:
        """The typed value as the column holds it, if the contract allows it."""
        column = self.columns[name]
        if column.minimum is not None and found < column.minimum:
            raise WrongValueError("out_of_range", f"must be at least {column.minimum:g}")
        if column.maximum is not None and found > column.maximum:
            raise WrongValueError("out_of_range", f"must be at most {column.maximum:g}")
        if column.type == "text":
            return self._text(column, found)
        return float(found) if name in self._counted else found

    def _text(self, column: Column, text: str) -> str | None:
        plain = trimmed(text)
        if plain in self.missing:
            return None
        if column.allowed is None:
            _check_length(plain, self._longest[column.name])
            return key_text(plain) if column.name == self.key else plain
        try:
            return self._spellings[column.name][spelling(text)]
        except KeyError:
            raise WrongValueError("not_allowed", f"must be one of {', '.join(column.allowed)}") from None

    def _unknown(self, name: str, guess: bool) -> Issue:
        shown = "".join(letter if letter.isprintable() else "?" for letter in name[:MAX_NAME_LENGTH])
        meant = did_you_mean(name[:MAX_NAME_LENGTH], self.columns) if guess else ""
        return Issue(shown, "is not a field of an application", meant, code="unknown_field")


def _check_length(text: str, longest: int) -> None:
    if len(text) > longest:
        raise WrongValueError("out_of_range", f"must have at most {longest:,} characters")

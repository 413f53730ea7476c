"""What a contract computes from its columns: features, row rules and the exposure."""

from functools import cached_property
from typing import Literal

from pydantic import AliasChoices, Field

from loan_platform.core.book.parts.strict import Name, Strict, Text
from loan_platform.core.book.sql import columns_read


def _is_average(value: str) -> bool:
    """Contracts without the key have the same bytes, in bundles and hashes, as before it existed."""
    return value == "average"


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

"""One column of the design matrix."""

from pydantic import Field

from loan_platform.core.book.parts.strict import Strict, is_empty

RARE = "(rare)"  # the level of the column that rare levels share


def _is_none(value: float | None) -> bool:
    """Bundles of designs without the key have the same bytes as before it existed."""
    return value is None


class DesignColumn(Strict):
    """One column of the matrix: a number, or one level of a category (1 where the loan has it, else 0).

    Numbers below `low` count as `low`, numbers above `high` as `high`. One of the two is set where an undefined value
    of the feature counts as an end, and is then the value of that end.

    `missing` stands for a missing value that training saw too seldom, `unseen` for a category without a column. `rare`
    are the levels that share the column of the level `(rare)`.
    """

    feature: str
    level: str | None = None
    low: float | None = None
    high: float | None = None
    missing: float | None = Field(default=None, exclude_if=_is_none)
    unseen: float | None = Field(default=None, exclude_if=_is_none)
    rare: tuple[str, ...] = Field(default=(), exclude_if=is_empty)

    @property
    def name(self) -> str:
        """`feature` or `feature=level`."""
        return self.feature if self.level is None else f"{self.feature}={self.level}"

    @property
    def taken(self) -> tuple[str, ...]:
        """The levels whose loans have this column; none for a number."""
        return self.rare or (() if self.level is None else (self.level,))

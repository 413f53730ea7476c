"""A drafted book: the content of its two files and of the screen."""

from collections.abc import Mapping
from dataclasses import dataclass

from loan_platform.core.book.contract import Contract
from loan_platform.core.book.parts.columns import Column, Target
from loan_platform.core.book.parts.features import Feature, RowRule
from loan_platform.core.drafting.judging.judged_columns import JudgedColumn
from loan_platform.core.drafting.judging.policy_choice import ChosenPolicies
from loan_platform.core.drafting.judging.roles import LeftOut
from loan_platform.core.drafting.judging.statistics import Statistics
from loan_platform.core.drafting.judging.target import TargetChoice
from loan_platform.core.drafting.reading.columns import DraftColumn

MAX_REASONS = 3


@dataclass(frozen=True)
class Counts:
    """Rows of the source: read, broken lines, accepted by the contract, and what became of the accepted loans.

    `why_refused` are the reasons of rows that are not accepted, with their number.
    """

    rows: int
    broken: int
    accepted: int
    defaults: int
    repaid: int
    why_refused: tuple[tuple[str, int], ...] = ()

    @property
    def total(self) -> int:
        """All rows of the source, broken lines included."""
        return self.rows + self.broken

    @property
    def refused(self) -> int:
        """Rows that are not accepted."""
        return self.total - self.accepted

    @property
    def unknown(self) -> int:
        """Accepted loans whose outcome is not known."""
        return self.accepted - self.defaults - self.repaid

    @property
    def base_rate(self) -> float:
        """Share of defaults among known outcomes."""
        return self.defaults / (self.defaults + self.repaid)


@dataclass(frozen=True)
class Draft:
    """A book drafted from one source.

    Attributes:
        name: of the book.
        source: path, glob or URI as it stands in `defs.yaml`.
        files: names of the files that were read.
        raw_columns: columns of the source.
        missing: texts that mean a missing value.
        key: the column that identifies a loan; `key_why`: how it was found; `other_keys`: that could too.
        event: the date of the decision, or None.
        judged: all other columns, in the order of the file.
        features: with the statistics of their columns.
        left_out: what stays in the source.
        encoding: of the source's CSV files.
        proposed: row rules that no row breaks; comments of the contract until a person takes them.
    """

    name: str
    source: str
    files: tuple[str, ...]
    raw_columns: int
    missing: tuple[str, ...]
    counts: Counts
    target: TargetChoice
    key: DraftColumn
    key_why: str
    other_keys: tuple[str, ...]
    event: DraftColumn | None
    judged: tuple[JudgedColumn, ...]
    features: tuple[tuple[Feature, Statistics], ...]
    left_out: tuple[LeftOut, ...]
    policies: ChosenPolicies
    encoding: str = "utf-8"
    proposed: tuple[RowRule, ...] = ()

    @property
    def columns(self) -> tuple[Column, ...]:
        """All columns of the contract: key, event date, and the others."""
        first = (self.key.column, *((self.event.column,) if self.event else ()))
        return (*first, *(item.column for item in self.judged))

    @property
    def contract(self) -> Contract:
        """The contract, as the platform will load it."""
        return build_contract(
            self.columns,
            self.key.column.name,
            self.event.column.name if self.event else None,
            self.missing,
            self.target,
            tuple(feature for feature, _ in self.features),
            self.name,
        )


def describe_reasons(reasons: Mapping[str, int]) -> str:
    """`320: 5 fields, not 6; 3: ...`, the commonest first."""
    most = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    shown = "; ".join(f"{rows:,}: {reason}" for reason, rows in most[:MAX_REASONS])
    return shown + ("; and others" if len(most) > MAX_REASONS else "")


def build_contract(
    columns: tuple[Column, ...],
    key: str,
    event: str | None,
    missing: tuple[str, ...],
    target: TargetChoice,
    features: tuple[Feature, ...],
    name: str,
) -> Contract:
    """A contract of drafted parts."""
    return Contract(
        description=f"{name}: drafted from a file.",
        entity_key=key,
        event_date=event,
        missing=missing,
        columns=columns,
        target=Target(sql=target.sql, description=target.description),
        features=features,
    )

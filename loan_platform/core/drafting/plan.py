"""The plan of a draft: the columns to read, the key, and a first contract that types them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from loan_platform.core.book.contract import Contract
from loan_platform.core.book.parts.columns import Column
from loan_platform.core.book.parts.contract_parts import MISSING_MARKERS
from loan_platform.core.book.parts.features import Feature
from loan_platform.core.drafting.judging.draft import build_contract, describe_reasons
from loan_platform.core.drafting.judging.errors import DraftError
from loan_platform.core.drafting.judging.roles import LeftOut, is_number_of_loan, is_personal, left_out, sounds_later
from loan_platform.core.drafting.judging.target import TargetChoice
from loan_platform.core.drafting.reading.columns import code_columns, hashed_key, key_column, plain_column
from loan_platform.core.drafting.reading.names import identifiers
from loan_platform.core.drafting.reading.survey import RawColumn

MIN_ROWS = 300
MIN_PER_CLASS = 20
MAX_REFUSED = 0.5


@dataclass(frozen=True)
class Plan:
    """What is read from a source.

    Attributes:
        key: the column that identifies a loan; `key_source`: the raw column, None for a hash.
        kept: the other columns of the contract with their raw columns, in the order of the file.
        left_out: columns that are not read.
        missing: texts that mean a missing value.
        target: SQL of the outcome.
    """

    key: Column
    key_source: RawColumn | None
    kept: tuple[tuple[Column, RawColumn], ...]
    left_out: tuple[LeftOut, ...]
    missing: tuple[str, ...]
    target: TargetChoice

    @property
    def contract(self) -> Contract:
        """A contract that types every kept column. It quarantines a row only for its key or target."""
        column, _ = self.kept[0]
        any_feature = Feature(
            name="any", sql=f"CASE WHEN {column.name} IS NULL THEN 1 ELSE 0 END", description="-", reason="-"
        )
        columns = (self.key, *(column for column, _ in self.kept))
        return build_contract(columns, self.key.name, None, self.missing, self.target, (any_feature,), "plan")


def make_plan(columns: Mapping[str, RawColumn], target: TargetChoice, key: str | None) -> Plan:
    """The plan for a source.

    Args:
        columns: every raw column.
        target: reads some of them.
        key: raw column of the key; None: a hash of what is known at application.

    Raises:
        DraftError: nothing is left to read.
    """
    used = target.columns | ({key} if key else frozenset[str]())
    out = tuple(left_out(columns, used))
    gone = {item.raw for item in out} | used
    read = [c for c in columns.values() if c.raw not in gone]
    values = _values(read, columns, target)
    marked = [replace(c, own_marks=tuple(sorted(_marks(c) & values))) for c in read]
    kept = tuple(pair for c in marked for pair in _columns(c, columns))
    if not kept:
        told = "; ".join(f"{item.label!r}: {item.why}" for item in out[:10])
        raise DraftError(f"no column is left that a model may use. {told}")
    source = columns[key] if key else None
    marks = frozenset[str]().union(*map(_marks, read)) - values
    return Plan(
        key=key_column(source) if source else hash_key(kept, columns),
        key_source=source,
        kept=kept,
        left_out=out,
        missing=(*MISSING_MARKERS, *sorted(marks - set(MISSING_MARKERS))),
        target=target,
    )


def _marks(column: RawColumn) -> frozenset[str]:
    return frozenset(column.reading.markers)


def _values(read: list[RawColumn], columns: Mapping[str, RawColumn], target: TargetChoice) -> frozenset[str]:
    """Texts that are a value of a column of texts or of the target, so they cannot mean a missing value everywhere."""
    texts = [c for c in read if c.reading.type == "text"] + [columns[raw] for raw in target.columns if raw in columns]
    return frozenset(value for column in texts for value in column.counts)


def _columns(column: RawColumn, columns: Mapping[str, RawColumn]) -> Iterator[tuple[Column, RawColumn]]:
    yield plain_column(column), column
    yield from code_columns(column, [c.name for c in columns.values()])


def hash_key(
    kept: tuple[tuple[Column, RawColumn], ...],
    columns: Mapping[str, RawColumn],
    leaks: frozenset[str] = frozenset(),
) -> Column:
    """Hash key for a source without a key, from columns available at application and nearly unique loan numbers."""
    known = [source.raw for column, source in kept if not sounds_later(source) and column.name not in leaks]
    known += [column.raw for column in columns.values() if is_number_of_loan(column) and not is_personal(column)]
    labels = [*(column.name for column in columns.values()), "loan id"]
    name = identifiers(labels)["loan id"]
    return hashed_key(name, tuple(dict.fromkeys(known or [source.raw for _, source in kept])))


def check_refused(total: int, reasons: Mapping[str, int]) -> None:
    """Reject a file of which most rows are refused: what is left of it is not the book.

    Args:
        total: rows and broken lines.
        reasons: refused rows by reason.

    Raises:
        DraftError: with the reasons.
    """
    refused = sum(reasons.values())
    if refused > MAX_REFUSED * total:
        raise DraftError(
            f"{refused:,} of {total:,} rows of the file cannot be used ({describe_reasons(reasons)}), so it is mostly "
            "broken. Look at its delimiter and quotes, and export it again."
        )


def check_counts(rows: int, defaults: int, repaid: int, target: str) -> None:
    """Reject a file that is too small or has too few loans of a class.

    Args:
        rows: of the source.
        defaults: with outcome 1; `repaid`: with outcome 0.
        target: how the target reads, for the message.

    Raises:
        DraftError: with the counts.
    """
    if rows < MIN_ROWS:
        raise DraftError(
            f"the file has {rows:,} rows, and a model needs at least {MIN_ROWS}: give a file with more loans, "
            "several files as a pattern (loans-*.csv), or write the contract by hand (docs/contract.md)."
        )
    if min(defaults, repaid) < MIN_PER_CLASS:
        raise DraftError(
            f"the target ({target}) finds {defaults:,} defaulted and {repaid:,} repaid loans in {rows:,} rows, and "
            f"a model needs at least {MIN_PER_CLASS} of each: look at the spelling of its values, or give a file "
            "with both."
        )

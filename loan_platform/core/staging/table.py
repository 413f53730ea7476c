"""What is staged from raw rows, and which raw columns that needs."""

from dataclasses import dataclass, replace
from functools import cached_property

from loan_platform.core.book.constants import TARGET
from loan_platform.core.book.contract import Contract
from loan_platform.core.book.contract_parts import Column, SourceTable, Target
from loan_platform.core.book.policies import SameKey, Source
from loan_platform.core.book.sql import columns_read
from loan_platform.core.staging.parsing import quote_identifier

LATEST_BY = "latest_by"


@dataclass(frozen=True)
class Table:
    """What is staged from raw rows: typed columns, the key of a row, and the target if the rows have one.

    Attributes:
        same_key: which of two rows with one key is accepted; None: both are, and `Accumulator` decides.
        latest_by: the column that says which of two rows is the latest; None: the order of the rows.
    """

    columns: tuple[Column, ...]
    key: tuple[str, ...]
    event_date: str | None
    target: Target | None
    target_required: bool
    missing: tuple[str, ...]
    same_key: SameKey | None = "refuse"
    latest_by: Column | None = None

    @classmethod
    def from_contract(cls, contract: Contract, outcomes: bool = False) -> "Table":
        """The table of a contract. For `outcomes` it has only the key and the target, which is then required."""
        return cls(
            columns=(contract.by_name[contract.entity_key],) if outcomes else contract.columns,
            key=(contract.entity_key,),
            event_date=None if outcomes else contract.event_date,
            target=contract.target,
            target_required=outcomes,
            missing=_marks(contract),
        )

    @classmethod
    def from_source(cls, contract: Contract, source: SourceTable) -> "Table":
        """The table of one linked source of a contract, before the join."""
        return cls(
            columns=source.columns,
            key=source.key,
            event_date=source.as_of,
            target=None,
            target_required=False,
            missing=_marks(contract),
        )

    def with_key_rules(self, source: Source, same_key: SameKey | None) -> "Table":
        """The table for a source to whose rows later files add."""
        if source.latest_by is None:
            return replace(self, same_key=same_key)
        column = Column(
            name=LATEST_BY,
            description="Date that says which of two rows with one key is the latest.",
            type="date",
            sql=quote_identifier(source.latest_by.column),
            date_format=source.latest_by.date_format,
            required=True,
        )
        return replace(self, same_key=same_key, latest_by=column, columns=(*self.columns, column))

    @cached_property
    def raw_columns(self) -> frozenset[str]:
        """Names (lower case) of the raw columns that are read. No other column leaves the source."""
        return self._target_reads.union(*(column.raw_columns for column in self.columns))

    @cached_property
    def required_raw(self) -> frozenset[str]:
        """Raw columns that the required columns read."""
        return frozenset[str]().union(*self.missing_required(frozenset()).values())

    def requires(self, column: Column) -> bool:
        """Whether a row without a value in the column is rejected."""
        return column.required or column.name in (*self.key, self.event_date)

    def missing_required(self, present: frozenset[str]) -> dict[str, frozenset[str]]:
        """Required columns that a file with these raw columns lacks, each with the raw columns that it reads."""
        found = {
            column.name: column.raw_columns
            for column in self.columns
            if (self.requires(column) or column.required_in_file) and not column.raw_columns & present
        }
        if self.target_required and not self._target_reads & present:
            found[TARGET] = self._target_reads
        return found

    def missing_optional(self, present: frozenset[str]) -> tuple[str, ...]:
        """Optional columns that a file with these raw columns lacks, in contract order."""
        required = self.missing_required(frozenset())
        return tuple(c.name for c in self.columns if c.name not in required and not c.raw_columns & present)

    @cached_property
    def _target_reads(self) -> frozenset[str]:
        return columns_read(self.target.sql) if self.target else frozenset()


def _marks(contract: Contract) -> tuple[str, ...]:
    return ("", *(mark for mark in contract.missing if mark))

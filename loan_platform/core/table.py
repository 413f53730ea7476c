"""What is staged from raw rows, and which raw columns that takes."""

from dataclasses import dataclass
from functools import cached_property

from loan_platform.core.contract import Column, Contract, Target
from loan_platform.core.sql import columns_read

TARGET = "target"


@dataclass(frozen=True)
class Table:
    """What is staged from raw rows: typed columns, a key, and the target."""

    columns: tuple[Column, ...]
    key: str
    event_date: str | None
    target: Target
    target_required: bool
    missing: tuple[str, ...]

    @classmethod
    def of(cls, contract: Contract, outcomes: bool = False) -> "Table":
        """All of the contract; for `outcomes` only the key and the target, which then must be there."""
        return cls(
            columns=(contract.by_name[contract.entity_key],) if outcomes else contract.columns,
            key=contract.entity_key,
            event_date=None if outcomes else contract.event_date,
            target=contract.target,
            target_required=outcomes,
            missing=("", *(mark for mark in contract.missing if mark)),
        )

    @cached_property
    def raw_columns(self) -> frozenset[str]:
        """Names (lower case) of the raw columns that are read; nothing else leaves the source."""
        return columns_read(self.target.sql).union(*(column.raw_columns for column in self.columns))

    @cached_property
    def required_raw(self) -> frozenset[str]:
        """Raw columns that required columns read."""
        return frozenset[str]().union(*self.missing_required(frozenset()).values())

    def requires(self, column: Column) -> bool:
        """Whether a row without a value in the column is refused."""
        return column.required or column.name in (self.key, self.event_date)

    def missing_required(self, present: frozenset[str]) -> dict[str, frozenset[str]]:
        """Required columns of which a file with these raw columns has none, with what they read."""
        found = {
            column.name: column.raw_columns
            for column in self.columns
            if (self.requires(column) or column.every_file) and not column.raw_columns & present
        }
        if self.target_required and not columns_read(self.target.sql) & present:
            found[TARGET] = columns_read(self.target.sql)
        return found

    def missing_optional(self, present: frozenset[str]) -> tuple[str, ...]:
        """Optional columns of which a file with these raw columns has none, in contract order."""
        required = self.missing_required(frozenset())
        return tuple(c.name for c in self.columns if c.name not in required and not c.raw_columns & present)

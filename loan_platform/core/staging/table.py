"""What is staged from raw rows, and which raw columns that needs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from loan_platform.core.book.constants import TARGET
from loan_platform.core.book.contract import Contract
from loan_platform.core.book.contract_parts import Column, Layout, SourceTable, Target
from loan_platform.core.book.sql import columns_read
from loan_platform.core.staging.parsing import quote_literal

LayoutFiles = Mapping[str, frozenset[str]]  # by layout: names of its files


@dataclass(frozen=True)
class Table:
    """What is staged from raw rows: typed columns, the key of a row, and the target if the rows have one.

    `layouts` are the forms of files that write some of the columns differently.
    """

    columns: tuple[Column, ...]
    key: tuple[str, ...]
    event_date: str | None
    target: Target | None
    target_required: bool
    missing: tuple[str, ...]
    layouts: tuple[Layout, ...] = ()

    @classmethod
    def from_contract(cls, contract: Contract, outcomes: bool = False) -> "Table":
        """The table of a contract. For `outcomes` it has only the key and the target, which is then required."""
        return cls(
            columns=(contract.by_name[contract.entity_key],) if outcomes else contract.columns,
            key=(contract.entity_key,),
            event_date=None if outcomes else contract.event_date,
            target=contract.target,
            target_required=outcomes,
            missing=contract.missing_texts,
            layouts=contract.layouts,
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
            missing=contract.missing_texts,
        )

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

    def layout_of(self, header: frozenset[str]) -> Layout | None:
        """The layout of a file with these raw columns; None: it writes every column as the contract says."""
        return next((layout for layout in self.layouts if header.issuperset(layout.header_has)), None)

    def written_in(self, layout: str | None, column: Column) -> Column:
        """The column as the files of a layout write it."""
        found = next((one for one in self.layouts if one.name == layout), None)
        change = found.by_name.get(column.name) if found else None
        return change.applied(column) if change else column

    def by_layout(self, column: Column, files: LayoutFiles, sql: Callable[[Column], str]) -> str:
        """SQL of a column that the layout of the row's file decides.

        Args:
            column: as the contract has it.
            files: of each layout.
            sql: makes the SQL of the column as one layout writes it.
        """
        plain, cases = sql(column), ""
        for layout in self.layouts:
            other = sql(self.written_in(layout.name, column))
            if other != plain and files.get(layout.name):
                names = ", ".join(quote_literal(file) for file in sorted(files[layout.name]))
                cases += f" WHEN source_file IN ({names}) THEN {other}"
        return f"CASE{cases} ELSE {plain} END" if cases else plain

    @cached_property
    def _target_reads(self) -> frozenset[str]:
        return columns_read(self.target.sql) if self.target else frozenset()

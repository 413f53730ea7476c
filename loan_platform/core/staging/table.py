"""What is staged from raw rows, and which raw columns that needs."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from loan_platform.core.book.constants import LATEST_BY, MAIN_TABLE, SOURCE_LOCATION, TARGET
from loan_platform.core.book.contract import Contract
from loan_platform.core.book.parts.columns import Column, Layout, Target, plain_name
from loan_platform.core.book.parts.contract_parts import SourceTable
from loan_platform.core.book.parts.features import RowRule
from loan_platform.core.book.policies import SameKey, Source
from loan_platform.core.book.sql import (
    columns_behind,
    quote_identifier,
    quote_literal,
    texts_compared,
)
from loan_platform.core.staging.joined import Joined

LayoutFiles = Mapping[str, frozenset[str]]  # by layout: names of its files


@dataclass(frozen=True)
class Table:
    """What is staged from raw rows: typed columns, the key of a row, and the target if the rows have one.

    `target_required` means that a file without a column that the target reads is rejected. `in_file` names columns
    that a file must have, and of which a row may lack the value.

    Attributes:
        same_key: which of two rows with one key is accepted; None: both are, and `Accumulator` decides.
        latest_by: the column that says which of two rows is the latest; None: the order of the rows.
        layouts: the forms of files that write some of the columns differently.
        row_rules: conditions on the typed columns; a row that breaks a critical one is quarantined.
        foreign_keys: columns beside `key` that hold the key of another table.
        key_in_file: whether the same key in another file is no duplicate.
        may_be_empty: whether a file may have no rows, as in a month without applications.
        read_by: what reads the typed rows, such as `feature income`, and its SQL.
        join: of a linked source: where its rows go.
    """

    columns: tuple[Column, ...]
    key: tuple[str, ...]
    event_date: str | None
    target: Target | None
    target_required: bool
    missing: tuple[str, ...]
    in_file: frozenset[str] = frozenset()
    same_key: SameKey | None = "refuse"
    latest_by: Column | None = None
    layouts: tuple[Layout, ...] = ()
    row_rules: tuple[RowRule, ...] = ()
    foreign_keys: frozenset[str] = frozenset()
    key_in_file: bool = False
    may_be_empty: bool = False
    read_by: tuple[tuple[str, str], ...] = ()
    join: Joined | None = None

    @classmethod
    def from_contract(cls, contract: Contract, outcomes: bool = False, needs_target: bool = False) -> "Table":
        """The table of a contract.

        Args:
            contract: of the book.
            outcomes: only the key and the target, which a file must then have.
            needs_target: a file must have the target, as a file of loans must. Applications have none.
        """
        return cls(
            columns=(contract.by_name[contract.entity_key],) if outcomes else contract.columns,
            key=(contract.entity_key,),
            event_date=None if outcomes else contract.event_date,
            target=contract.target,
            target_required=outcomes or needs_target,
            missing=contract.missing_texts,
            layouts=contract.layouts,
            row_rules=() if outcomes else contract.row_rules,
            read_by=_sql_over_rows(contract),
        )

    @classmethod
    def from_source(cls, contract: Contract, source: SourceTable, needs_target: bool = False) -> "Table":
        """The table of one linked source of a contract, before the join.

        Args:
            contract: of the book.
            source: one of its tables.
            needs_target: a file must have the columns that the target is computed from. Applications have none.
        """
        columns = source.columns
        if source.name == MAIN_TABLE:  # also where the key has other columns: a row without a loan is in no join
            identified = {"required": True}
            columns = tuple(c.model_copy(update=identified) if c.name == contract.entity_key else c for c in columns)
        return cls(
            columns=columns,
            key=source.key,
            event_date=source.as_of,
            target=None,
            target_required=False,
            missing=contract.missing_texts,
            in_file=_behind_target(contract, source) if needs_target else frozenset(),
            foreign_keys=frozenset({contract.entity_key}.union(*(table.key for table in contract.tables))),
            read_by=_sql_over_rows(contract),
            join=Joined(source.name, contract),
        )

    def texts_compared(self, column: Column) -> Iterator[tuple[str, frozenset[str]]]:
        """Everything that compares the typed values of a text column with texts, and those texts."""
        names = {column.name}
        if self.join is not None:
            yield from self.join.texts_compared(column)
            names = self.join.typed_names(column)
        for name in sorted(names):
            yield from ((who, texts_compared(sql, name)) for who, sql in self.read_by)

    def with_key_rules(self, source: Source, same_key: SameKey | None, joined: bool = False) -> "Table":
        """The table for a source to whose rows later files add.

        Args:
            source: says which of two rows with one key is the latest.
            same_key: as in the attributes.
            joined: the rows are joined, and have the date of `latest_by` from before the join.
        """
        if source.latest_by is None:
            return replace(self, same_key=same_key, may_be_empty=True)
        column = Column(
            name=LATEST_BY,
            description="Date that says which of two rows with one key is the latest.",
            type="date",
            sql=quote_identifier(LATEST_BY if joined else source.latest_by.column),
            date_format=None if joined else source.latest_by.date_format,
            required=True,
        )
        columns = (*self.columns, column)
        return replace(self, same_key=same_key, latest_by=column, columns=columns, may_be_empty=True)

    def with_key_in_file(self) -> "Table":
        """The table where two rows of different files may have the same key, and `Accumulator` decides."""
        return replace(self, key_in_file=True)

    def is_key(self, column: Column) -> bool:
        """Whether the column holds a key, of this table or of another one. It is read as `keys` says."""
        return column.name in self.key or column.name in self.foreign_keys

    @cached_property
    def raw_columns(self) -> frozenset[str]:
        """Names (lower case) of the raw columns that are read. No other column leaves the source.

        `source_file` and `source_line` are none: every row has them, and a column of a file is never read as one.
        """
        return self._target_reads.union(*map(_from_file, self.columns))

    @cached_property
    def aliases(self) -> Mapping[str, str]:
        """Other names of raw columns, each with the name that the SQL uses; all in lower case."""
        parts = [*self.columns, *([self.target] if self.target else [])]
        return {plain_name(name): plain_name(part.sources[0]) for part in parts for name in part.sources[1:]}

    def canonical(self, names: Iterable[str]) -> tuple[str, ...]:
        """Names of a file's columns, in lower case; those with another name get the name that the SQL uses."""
        return tuple(self.aliases.get(name, name) for name in names)

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
            column.name: _from_file(column)
            for column in self.columns
            if self._in_file(column) and _lacks(column, present)
        }
        if self.target_required and (absent := self._target_reads - present):
            found[TARGET] = absent  # without one of them, the outcome would be another or unknown
        return found

    def missing_optional(self, present: frozenset[str]) -> tuple[str, ...]:
        """Optional columns that a file with these raw columns lacks, in contract order."""
        required = self.missing_required(frozenset())
        return tuple(c.name for c in self.columns if c.name not in required and _lacks(c, present))

    def layout_of(self, written: Sequence[str]) -> Layout | None:
        """The layout of a file; None: it writes every column as the contract says.

        Args:
            written: names of the file's columns, in lower case. A layout may use them or the names in the SQL.
        """
        header = {*written, *self.canonical(written)}
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

    def _in_file(self, column: Column) -> bool:
        return self.requires(column) or column.required_in_file or column.name in self.in_file

    @cached_property
    def _target_reads(self) -> frozenset[str]:
        return self.target.raw_columns - {*SOURCE_LOCATION} if self.target else frozenset()


def _sql_over_rows(contract: Contract) -> tuple[tuple[str, str], ...]:
    exposure = [("the exposure", contract.exposure.sql)] if contract.exposure else []
    features = ((f"feature {feature.name}", feature.sql) for feature in contract.features)
    return (*features, *((f"row rule {rule.name}", rule.sql) for rule in contract.row_rules), *exposure)


def _from_file(column: Column) -> frozenset[str]:
    """Raw columns that a column reads, without the place of the row, which every row has."""
    return column.raw_columns - {*SOURCE_LOCATION}


def _lacks(column: Column, present: frozenset[str]) -> bool:
    """Whether a file with these raw columns has none that the column reads."""
    reads = _from_file(column)
    return bool(reads) and not reads & present


def _behind_target(contract: Contract, source: SourceTable) -> frozenset[str]:
    """Columns of a linked source that the target is computed from, through the join."""
    assert contract.join is not None
    tables = {table.name: (*table.by_name, *SOURCE_LOCATION) for table in contract.tables}
    found = [columns_behind(contract.join, name, tables) for name in sorted(contract.target.raw_columns)]
    return frozenset(column for table, column in frozenset[tuple[str, str]]().union(*found) if table == source.name)

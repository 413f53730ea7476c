"""Where the typed rows of a linked source go: through the join into the columns and the target of the contract."""

from collections.abc import Iterator
from dataclasses import dataclass

from loan_platform.core.book.constants import SOURCE_LOCATION
from loan_platform.core.book.contract import Contract
from loan_platform.core.book.join_columns import JoinColumns, join_columns
from loan_platform.core.book.parts.columns import Column
from loan_platform.core.book.sql import passes_column_on, texts_compared


@dataclass(frozen=True)
class Joined:
    """A linked source and the contract that its rows are joined for."""

    source: str
    contract: Contract

    @property
    def _columns(self) -> JoinColumns:
        assert self.contract.join is not None
        tables = tuple((table.name, (*table.by_name, *SOURCE_LOCATION)) for table in self.contract.tables)
        return join_columns(self.contract.join, tables)

    def texts_compared(self, column: Column) -> Iterator[tuple[str, frozenset[str]]]:
        """What compares a typed column of the source before the contract's columns are typed, and the texts."""
        yield "the join", self._columns.texts(self.source, column.name)
        for name in sorted(self._columns.names(self.source, column.name)):
            yield "the target", texts_compared(self.contract.target.sql, name)
            for typed in self.contract.columns:
                texts = texts_compared(typed.source_sql, name)
                if typed.allowed and passes_column_on(typed.source_sql) and name in typed.raw_columns:
                    texts = texts.union(typed.allowed)
                yield f"column {typed.name}", texts

    def typed_names(self, column: Column) -> set[str]:
        """Text columns of the contract that hold the values of a column of the source."""
        names = self._columns.names(self.source, column.name)
        return {typed.name for typed in self.contract.columns if typed.type == "text" and names & typed.raw_columns}

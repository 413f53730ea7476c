"""How the contract writes the numbers that a raw column of Parquet is compared with.

A number of Parquet has no text of its own, and contracts compare texts: 1 as DOUBLE is the `1.0` of one contract and
the `1` of another. It gets the spelling that the contract uses.
"""

from collections.abc import Iterable

from loan_platform.core.book.parts.columns import Column
from loan_platform.core.book.sql import passes_column_on, texts_compared
from loan_platform.core.errors import SourceError
from loan_platform.core.staging.number_text import decimal_sign, plain_number
from loan_platform.core.staging.table import Table


def number_spellings(label: str, raw: str, table: Table, readers: list[Column]) -> dict[str, str]:
    """The spelling that the contract uses, by the shortest text of each number whose text may be another.

    Args:
        label: name of the file.
        raw: the column, in lower case.
        table: what is to be staged.
        readers: its columns that read the raw column, as the file's layout has them.

    Raises:
        SourceError: two readers compare one number in different spellings, so that one of them would not find it.
    """
    decimal = decimal_sign(readers)
    chosen: dict[str, str] = {}
    known: dict[str, tuple[str, frozenset[str]]] = {}
    for name, texts in _compared(raw, table, readers):
        for number, spellings in _by_number(texts, decimal).items():
            other, before = known.get(number, (name, spellings))
            both = before & spellings
            if not both:
                raise SourceError(
                    label,
                    f"has numbers in {raw!r}, and the contract writes one of them in two ways: {min(before)!r} in "
                    f"{other}, {min(spellings)!r} in {name}",
                    f"Write {_written(number, decimal)!r} in both.",
                )
            known[number] = (name, both)
            chosen[number] = _written(number, decimal) if _written(number, decimal) in both else min(both)
    # The text of a whole number is its shortest. A fraction may have more digits, such as 1.50 in a DECIMAL(10,2).
    return {n: chosen[n] for n in sorted(chosen) if "." in n or chosen[n] != n}


def _compared(raw: str, table: Table, readers: list[Column]) -> Iterable[tuple[str, frozenset[str]]]:
    """Everything that reads the raw column, with the texts that it compares."""
    for column in readers:
        passed_on = passes_column_on(column.source_sql)  # what other SQL gives has texts of its own
        allowed = column.allowed if passed_on else None
        yield f"column {column.name}", texts_compared(column.source_sql, raw) | {*(allowed or ())}
        if passed_on and column.type == "text":
            yield from table.texts_compared(column)
    if table.target is not None:
        yield "the target", texts_compared(table.target.sql, raw)


def _by_number(texts: frozenset[str], decimal: str | None) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for text in texts:
        if (number := plain_number(text, decimal)) is not None:
            found[number] = found.get(number, frozenset()) | {text}
    return found


def _written(number: str, decimal: str | None) -> str:
    return number.replace(".", ",") if decimal else number

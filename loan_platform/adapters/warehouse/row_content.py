"""SQL of what a row says, wherever it was read: two rows are the same if this is."""

from collections.abc import Collection, Iterable

from loan_platform.core.book.sql import quote_identifier, quote_literal


def content_sql(columns: Iterable[str], ignored: Collection[str | None]) -> str:
    """MD5 of the stated values by name: a column that a contract adds later, and no row has, changes nothing."""
    values = ", ".join(
        f"CASE WHEN {quote_identifier(name)} IS NOT NULL THEN {quote_literal(f'{name}:')} || "
        f"CAST(to_json({quote_identifier(name)}) AS VARCHAR) END"
        for name in sorted(columns)
        if name not in ignored
    )
    return f"md5(concat_ws(',', {values}))"

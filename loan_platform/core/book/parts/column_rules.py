"""Rules for the columns, layouts, source names and target of a contract: every broken one is an issue."""

from collections.abc import Iterable, Iterator, Sequence

from loan_platform.core.book.close_names import did_you_mean
from loan_platform.core.book.column_types import spelling
from loan_platform.core.book.date_formats import FORMAT_HINT, format_issue
from loan_platform.core.book.parts.columns import Column, Target, plain_name
from loan_platform.core.book.parts.contract_parts import ContractParts
from loan_platform.core.book.sql import SqlError, columns_read
from loan_platform.core.errors import Issue

RANGED = ("number", "integer", "percent")
_REMOVE = "Remove it from one of the two."


def column_issues(path: str, column: Column) -> Iterator[Issue]:
    """Every issue of one column at a key path."""
    yield from sql_issues(f"{path}.sql", column.source_sql)
    low, high = column.minimum, column.maximum
    for key, bound in (("minimum", low), ("maximum", high)):
        if bound is not None and column.type not in RANGED:
            message = f"a {column.type} column has no range"
            yield Issue(f"{path}.{key}", message, f"Remove it, or make {column.name!r} a number.", "not_applicable")
    if low is not None and high is not None and low > high:
        message = f"minimum {low:g} is above maximum {high:g}: every value would be invalid"
        yield Issue(f"{path}.minimum", message, "Swap them, or correct one.", "wrong_order")
    if column.max_length is not None and (column.type != "text" or column.allowed is not None):
        message = "only a text column without `allowed` has a length"
        yield Issue(f"{path}.max_length", message, "Remove it.", "not_applicable")
    if column.allowed is not None and column.type != "text":
        message = f"only a text column has categories, and {column.name!r} is {column.type}"
        yield Issue(f"{path}.allowed", message, "Remove it, or make the type text.", "not_applicable")
    yield from _categories(f"{path}.allowed", column.allowed or ())
    yield from _format_issues(path, column)


def layout_issues(contract: ContractParts) -> Iterator[Issue]:
    """Every issue of the layouts of a contract."""
    if contract.layouts and contract.tables:
        message = "a book of linked files has no layouts: its columns read the joined row"
        yield Issue("layouts", message, "Remove them, and convert the values in the join.", "not_applicable")
        return
    yield from duplicate_issues("layouts", [layout.name for layout in contract.layouts])
    for i, layout in enumerate(contract.layouts):
        path = f"layouts[{i}]"
        yield from duplicate_issues(f"{path}.columns", [column.name for column in layout.columns])
        for j, raw in enumerate(layout.header_has):
            if raw != raw.lower():
                message = f"{raw!r} has upper-case letters, and headers are compared in lower case"
                yield Issue(f"{path}.header_has[{j}]", message, f"Write {raw.lower()!r}.", "not_lower_case")
        for j, item in enumerate(layout.columns):
            column = contract.by_name.get(item.name)
            if column is None:
                yield no_column(f"{path}.columns[{j}].name", "names", item.name, contract)
            else:
                yield from _format_issues(f"{path}.columns[{j}]", item.applied(column))


def _format_issues(path: str, column: Column) -> Iterator[Issue]:
    if column.written_as is not None and column.type != "percent":
        message = f"only a percent column is written as a {column.written_as}, and {column.name!r} is {column.type}"
        yield Issue(f"{path}.written_as", message, "Remove it, or make the type percent.", "not_applicable")
    if column.decimal is not None and column.type not in RANGED:
        message = f"only a number has a decimal sign, and {column.name!r} is {column.type}"
        yield Issue(f"{path}.decimal", message, "Remove it, or make the column a number.", "not_applicable")
    if column.date_format is None:
        return
    if column.type != "date":
        message = f"only a date has a date format, and {column.name!r} is {column.type}"
        yield Issue(f"{path}.date_format", message, "Remove it, or make the type date.", "not_applicable")
    elif message := format_issue(column.date_format):
        yield Issue(f"{path}.date_format", message, FORMAT_HINT, "invalid_date_format")


def _categories(path: str, words: Iterable[str]) -> Iterator[Issue]:
    """Categories that differ only in case and spacing: the second one would never occur."""
    first: dict[str, str] = {}
    for i, word in enumerate(words):
        plain = spelling(word)
        if plain in first:
            message = f"{word!r} and {first[plain]!r} are the same category, because case and spacing are ignored"
            yield Issue(f"{path}[{i}]", message, "Keep one of the two.", "duplicate_category")
        first.setdefault(plain, word)


def target_issues(contract: ContractParts) -> Iterator[Issue]:
    """Every issue of the target of a contract."""
    if issues := list(sql_issues("target.sql", contract.target.sql)):
        yield from issues
    elif not columns_read(contract.target.sql):
        message = "reads no column: every loan would have the same outcome"
        yield Issue("target.sql", message, "Derive it from the raw column with the outcome of the loan.", "constant")


def contract_source_issues(contract: ContractParts) -> Iterator[Issue]:
    """Issues of the alternative names of raw columns."""
    parts: list[tuple[str, Column | Target]] = [(f"columns[{i}]", column) for i, column in enumerate(contract.columns)]
    parts.append(("target", contract.target))
    if not contract.tables:
        yield from source_name_issues(parts)
        return
    for path, part in parts:
        if part.sources:
            hint = "Give the names to the column of the table in `tables`."
            yield Issue(f"{path}.sources", "the joined row is no file", hint, "not_applicable")


def source_name_issues(parts: Sequence[tuple[str, Column | Target]]) -> Iterator[Issue]:
    """Issues of `sources` of the columns and the target of one file: each name must mean one raw column.

    Args:
        parts: key path and column, or target.
    """
    read = {name: path for path, part in parts for name in _raw(part)}
    meaning: dict[str, str] = {}
    for path, part in parts:
        names = [plain_name(name) for name in part.sources]
        if names and (reads := _raw(part)) and names[0] not in reads:
            message = f"the SQL does not read {part.sources[0]!r}"
            hint = "List first the name that the SQL uses."
            yield Issue(f"{path}.sources[0]", message, hint, "unknown_column")
            continue
        for i, name in enumerate(names[1:], start=1):
            if name in names[:i]:
                yield Issue(f"{path}.sources[{i}]", f"{part.sources[i]!r} is listed twice", _REMOVE, "duplicate_name")
            elif name in read:
                message = f"{part.sources[i]!r} is a raw column of its own, which {read[name]} reads"
                yield Issue(f"{path}.sources[{i}]", message, _REMOVE, "duplicate_name")
            elif meaning.setdefault(name, names[0]) != names[0]:
                message = f"{part.sources[i]!r} is a name of {meaning[name]!r} too"
                yield Issue(f"{path}.sources[{i}]", message, _REMOVE, "duplicate_name")


def duplicate_issues(path: str, names: list[str]) -> Iterator[Issue]:
    """Names that stand twice in the list at a key path."""
    first: dict[str, int] = {}
    for i, name in enumerate(names):
        if name in first:
            message = f"the name {name!r} is also the name of {path}[{first[name]}]"
            yield Issue(f"{path}[{i}].name", message, "Rename one of the two.", "duplicate_name")
        first.setdefault(name, i)


def sql_issues(path: str, sql: str) -> Iterator[Issue]:
    """The issue of an SQL text at a key path that cannot be read."""
    try:
        columns_read(sql)
    except SqlError as error:
        yield Issue(path, str(error), "Correct the SQL.", "invalid_sql")


def no_column(path: str, where: str, name: str, contract: ContractParts) -> Issue:
    """The issue of an SQL text or key at a key path that names no column; `where` is who names it."""
    made = [c.name for c in contract.columns if (c.sql or c.sources) and name in _raw(c)]
    if made:
        hint = f"It is a raw column. The column made from it is {made[0]!r}."
    else:
        hint = did_you_mean(name, contract.by_name) or "Add the column, or correct the name."
    return Issue(path, f"{where} {name!r}, which is no column", hint, "unknown_column")


def _raw(part: Column | Target) -> frozenset[str]:
    try:
        return part.raw_columns
    except SqlError:
        return frozenset()

"""Turns raw columns into columns of the contract."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from loan_platform.core.book.column_types import spelling
from loan_platform.core.book.constants import SOURCE_LOCATION
from loan_platform.core.book.parts.columns import MAX_STATED_LENGTH, MAX_TEXT_LENGTH, Column
from loan_platform.core.book.sql import quote_identifier, quote_literal
from loan_platform.core.drafting.reading.names import MAX_LENGTH, display_name, identifiers
from loan_platform.core.drafting.reading.numbers import find_unit
from loan_platform.core.drafting.reading.readings import Reading
from loan_platform.core.drafting.reading.special_codes import SpecialCode
from loan_platform.core.drafting.reading.survey import RawColumn
from loan_platform.core.drafting.reading.vocabulary import UNIT_WORDS
from loan_platform.core.staging.parsing import plain_number_sql

NO_KEY_COLUMN = "Outcomes in a second file cannot be joined by this key: it holds the file and the line of the loan."
MIN_CODE_ROWS = 20  # of a special code with a column of its own
RARE = 5  # a value of fewer rows is no category, and may be a person


@dataclass(frozen=True)
class DraftColumn:
    """A column of the contract with what a person should know about it.

    Attributes:
        column: as the contract has it.
        source: the raw column it is made from, None for a key that is a hash of several.
        comments: lines above it in the file.
    """

    column: Column
    source: RawColumn | None = None
    comments: tuple[str, ...] = ()


def plain_column(source: RawColumn) -> Column:
    """The column in the format of its texts, without range and role."""
    reading = source.reading
    style = reading.style
    quoted = quote_identifier(source.raw)
    raw = _without(quoted, source, reading.codes)
    allowed = _categories(source) if reading.type == "text" else None
    sql = style.sql(raw) if style else None
    return Column(
        name=source.name,
        description=f"{display_name(source.label)}.",
        type=reading.type,
        sql=sql or (None if raw == quoted and source.raw == source.name else raw),
        decimal="," if style is not None and style.decimal == "," else None,
        date_format=reading.date_format,
        written_as=reading.written_as,
        unit=_unit(source),
        allowed=allowed,
        max_length=_max_length(source) if reading.type == "text" and allowed is None else None,
        on_invalid="null",
        severity="warning",
    )


def _max_length(source: RawColumn) -> int | None:
    """A length with room for texts twice as long as the longest one, None where the default has it."""
    if 2 * source.longest <= MAX_TEXT_LENGTH:
        return None
    return min(-(-2 * source.longest // 1_000) * 1_000, MAX_STATED_LENGTH)


def code_columns(source: RawColumn, taken: Iterable[str]) -> Iterator[tuple[Column, RawColumn]]:
    """A column of 0 and 1 for each special code that enough rows have.

    Args:
        source: the raw column.
        taken: names of other columns.
    """
    used = list(taken)
    for code in source.reading.codes:
        if code.rows < MIN_CODE_ROWS:
            continue
        name = f"{source.name[: MAX_LENGTH - len(code.suffix) - 4]}_is_{code.suffix}"
        name = identifiers([*used, name])[name]
        used.append(name)
        column = Column(
            name=name,
            description=f"1 where {source.name} is the special code {code.value}, 0 elsewhere.",
            type="integer",
            sql=f"CASE WHEN {_is_code(quote_identifier(source.raw), source, [code])} THEN '1' ELSE '0' END",
            on_invalid="null",
            severity="warning",
        )
        label, stated = f"{source.label} is {code.value}", source.rows
        changed = replace(
            source, name=name, label=label, stated=stated, distinct=2, counts={}, reading=Reading("integer"), code=code
        )
        yield column, changed


def key_column(source: RawColumn) -> Column:
    """The column that identifies a loan, as text, whatever it is made of."""
    return Column(
        name=source.name,
        description=f"{display_name(source.label)}: identifies a loan.",
        type="text",
        sql=None if source.raw == source.name else quote_identifier(source.raw),
        required=True,
    )


def hashed_key(name: str, raws: tuple[str, ...]) -> Column:
    """A key made of everything that is known about the application, and of the row's place.

    The values keep their places in a list, missing ones too: without them 450, 9, - and 450, -, 9 are one key. The
    place tells equal applications apart.
    """
    texts = ", ".join(quote_identifier(raw) for raw in raws)
    return Column(
        name=name,
        description="A hash of what is known about the application and of its file and line: the source has no number "
        "of the loan. Outcomes in a second file cannot be joined by it.",
        type="text",
        sql=f"'h' || md5(CAST(json_array({texts}, {', '.join(SOURCE_LOCATION)}) AS VARCHAR))",
        required=True,
    )


def rare_values(source: RawColumn) -> int:
    """Values of a text column that are no category, because few rows have them."""
    return len(_spellings(source)) - len(_categories(source) or ()) if source.reading.type == "text" else 0


def category_counts(source: RawColumn) -> dict[str, int]:
    """Rows of each category, all spellings together."""
    kept = _categories(source) or ()
    return {word: rows for word, rows in _spellings(source).items() if word in kept}


def _without(raw: str, source: RawColumn, codes: Sequence[SpecialCode]) -> str:
    """SQL of the raw column, null where it is a special code or a mark of its own."""
    if codes:
        sql = f"CASE WHEN NOT ({_is_code(raw, source, codes)}) THEN trim({raw}) END"
    else:
        sql = f"trim({raw})" if source.own_marks else raw
    for text in source.own_marks:
        sql = f"nullif({sql}, {quote_literal(text)})"
    return sql


def _is_code(raw: str, source: RawColumn, codes: Sequence[SpecialCode]) -> str:
    """SQL of whether the raw column is one of the codes, in any spelling: 9999.0 is 9999."""
    number, style = f"TRY_CAST(trim({raw}) AS DOUBLE)", source.reading.style
    if style is not None and style.decimal == ",":
        number = plain_number_sql(Column(name="x", description="-", type="number", decimal=","), f"trim({raw})")
    found = f"coalesce({number} IN ({', '.join(str(code.value) for code in codes)}), false)"
    texts = sorted({text for code in codes for text in code.texts if text != str(code.value)})
    return f"{found} OR trim({raw}) IN ({', '.join(map(quote_literal, texts))})" if texts else found


def _categories(source: RawColumn) -> tuple[str, ...] | None:
    if not source.counts:
        return None
    spelled = _spellings(source)
    kept = tuple(word for word, rows in spelled.items() if rows >= RARE)
    return kept or tuple(spelled)[:1]


def _spellings(source: RawColumn) -> dict[str, int]:
    """Rows of each value; spellings that differ in case and spacing count for the commonest."""
    first: dict[str, str] = {}
    rows: dict[str, int] = {}
    for value, count in source.counts.items():
        word = first.setdefault(spelling(value), value)
        rows[word] = rows.get(word, 0) + count
    return rows


def _unit(source: RawColumn) -> str | None:
    reading = source.reading
    if reading.type not in ("number", "integer", "percent"):
        return None
    if reading.type == "percent":
        return "%"
    if reading.sign == "$":
        return "USD"
    around = reading.style.around if reading.style else ()
    return next((unit for word in around if (unit := find_unit(word))), None) or next(
        (UNIT_WORDS[word] for word in source.words if word in UNIT_WORDS), None
    )

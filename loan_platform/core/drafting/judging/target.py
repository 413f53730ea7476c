"""Finds the column with the outcome of a loan, and writes the SQL of the target."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

import sqlglot
from sqlglot import exp

from loan_platform.core.book.sql import SqlError, columns_read, quote_identifier, quote_literal
from loan_platform.core.drafting.judging.errors import DraftError
from loan_platform.core.drafting.judging.outcome_words import number
from loan_platform.core.drafting.judging.outcomes import Outcome, name_score, read_outcome
from loan_platform.core.drafting.reading.names import split_words

MAX_SHOWN = 12
MAX_RATE_BY_NAME = 0.5
UNREAD = -1  # of a value that the draft did not see


@dataclass(frozen=True)
class TargetChoice:
    """The target of a draft.

    Attributes:
        sql: DuckDB SQL over the raw row, 1, 0 or null.
        columns: raw columns that it reads.
        why: how it was found.
        description: for the contract.
        guessed: True if the user did not name it.
        others: raw columns that could be the target too.
        by_name: the values are yes and no, so only the column's name says which of them means default.
    """

    sql: str
    columns: frozenset[str]
    why: str
    description: str
    guessed: bool = False
    others: tuple[str, ...] = field(default=())
    by_name: bool = False


def find_column(text: str, known: Mapping[str, str]) -> str | None:
    """The raw column that a text names, by its own name or by that of the contract, or None.

    Args:
        text: what the user wrote.
        known: name in the contract of each raw column (lower case).
    """
    plain = text.strip().strip('"').lower()
    if plain in known:
        return plain
    return next((raw for raw, identifier in known.items() if identifier == plain), None)


def named_column(option: str, text: str, known: Mapping[str, str]) -> str:
    """The raw column that an option of the user names.

    Raises:
        DraftError: it names none.
    """
    raw = find_column(text, known)
    if raw is None:
        raise DraftError(f"{option} names {text!r}, which is no column of the file{describe_closest(text, known)}.")
    return raw


def target_from_column(raw: str, counts: dict[str, int], distinct: int, label: str) -> TargetChoice:
    """The target from a column that the user named.

    Raises:
        DraftError: its values do not say which of them mean default.
    """
    example = f"TARGET=\"{_format_column(raw)} = '...'\""
    if distinct < 2:
        raise DraftError(
            f"the target column {label!r} is constant: it has {distinct} value in all rows. A model needs loans that "
            "defaulted and loans that were repaid: name another column, or give a file with both."
        )
    outcome = read_outcome(split_words(label), counts, named=True) if distinct == len(counts) else None
    if outcome is not None:
        _check_rate(raw, outcome, counts, label)
        return _from_outcome(raw, outcome, label, guessed=False, others=())
    if distinct > MAX_SHOWN:
        raise DraftError(
            f"the target column {label!r} has {distinct:,} different values, and none of them is known to mean "
            f"default. Say which do: {example} (or any SQL condition over the columns)."
        )
    shown = ", ".join(f"{value!r} ({count:,})" for value, count in sorted(counts.items(), key=lambda v: -v[1]))
    several = f"TARGET=\"{_format_column(raw)} in ('...', '...')\""
    raise DraftError(
        f"the target column {label!r} has {distinct} values, and it is not plain which of them mean default: {shown}. "
        f"Say it with {example} or {several}; null for an outcome not known yet: "
        f"\"case when {_format_column(raw)} = '...' then 1 when {_format_column(raw)} = '...' then 0 end\"."
    )


def guess_target(counts: Mapping[str, dict[str, int]], labels: Mapping[str, str]) -> TargetChoice:
    """The column whose name and values are the best evidence of an outcome.

    Args:
        counts: rows of each value, for the columns with few values.
        labels: each raw column as the file writes it.

    Raises:
        DraftError: none does, with the columns that look like candidates; or only a name says that most loans are
            defaults.
    """
    read = {raw: read_outcome(split_words(labels[raw]), values) for raw, values in counts.items()}
    found = {raw: outcome for raw, outcome in read.items() if outcome is not None and outcome.score > 0}
    if not found:
        raise DraftError(_no_target(counts, labels))
    order = list(counts)  # of equals the last: files often end with the outcome
    ranked = sorted(found, key=lambda raw: (-found[raw].score, -order.index(raw)))
    best = ranked[0]
    _check_rate(best, found[best], counts[best], labels[best])
    return _from_outcome(best, found[best], labels[best], True, tuple(ranked[1:]))


def target_from_sql(text: str, known: Mapping[str, str]) -> TargetChoice:
    """The target from a SQL condition that the user wrote; columns may have their raw or their contract's names.

    Raises:
        DraftError: it does not parse, or names no column.
    """
    try:
        read = columns_read(text)
    except SqlError as error:
        raise DraftError(
            f"TARGET {text!r}: {error}. Write a condition over the columns, such as \"status = 'Charged Off'\"; "
            "a name with blanks stands in double quotes, or is written as in the contract (`paid_back`)."
        ) from error
    if not read:
        raise DraftError(f"TARGET {text!r} reads no column. Text stands in single quotes: \"status = 'bad'\".")
    renamed = {column: find_column(column, known) for column in read}
    for column, raw in renamed.items():
        if raw is None:
            raise DraftError(
                f"TARGET names {column!r}, which is no column of the file{describe_closest(column, known)}."
            )
    sql = _with_raw_names(text, {column: raw for column, raw in renamed.items() if raw is not None})
    return TargetChoice(
        sql=sql,
        columns=frozenset(raw for raw in renamed.values() if raw is not None),
        why="as stated",
        description=f"Default, as stated for this book: {' '.join(text.split())}.",
    )


def describe_closest(text: str, known: Mapping[str, str]) -> str:
    """`; the closest is 'loan_status'`, or the first columns where none is close."""
    names = list(dict.fromkeys([*known, *known.values()]))
    close = get_close_matches(text.strip().strip('"').lower(), names, n=1, cutoff=0.5)
    if close:
        return f"; the closest is {close[0]!r}"
    return f"; it has {', '.join(list(known.values())[:MAX_SHOWN])}" + (", ..." if len(known) > MAX_SHOWN else "")


def _check_rate(raw: str, outcome: Outcome, counts: Mapping[str, int], label: str) -> None:
    """Ask where more than half of the loans would be defaults by the word of a name."""
    bad, good = (sum(counts[value] for value in values) for values in (outcome.bad, outcome.good))
    rate = bad / (bad + good)
    if not outcome.by_name or rate <= MAX_RATE_BY_NAME:
        return
    one, other = (f'TARGET="{_condition(raw, values)}"' for values in (outcome.bad, outcome.good))
    raise DraftError(
        f"it is not plain which values of the target column {label!r} mean default. Only its name says it "
        f"({outcome.why}), and {rate:.1%} of the loans would be defaults. The other way round it is {1 - rate:.1%}. "
        f"Say which: {one} ({rate:.1%}) or {other} ({1 - rate:.1%})."
    )


def _condition(raw: str, values: tuple[str, ...]) -> str:
    texts = ", ".join(quote_literal(value) for value in values)
    return f"{_format_column(raw)} " + (f"= {texts}" if len(values) == 1 else f"in ({texts})")


def _from_outcome(raw: str, outcome: Outcome, label: str, guessed: bool, others: tuple[str, ...]) -> TargetChoice:
    told, repaid, open_ = (", ".join(map(repr, v)) for v in (outcome.bad, outcome.good, outcome.unresolved))
    unresolved = f"; not known yet: {open_}" if open_ else ""
    return TargetChoice(
        sql=_sql(quote_identifier(raw), outcome),
        columns=frozenset({raw}),
        why=outcome.why,
        description=f"{label} is {told}; repaid: {repaid}{unresolved}.",
        guessed=guessed,
        others=others,
        by_name=outcome.by_name,
    )


def _sql(column: str, outcome: Outcome) -> str:
    """The target by the values of a column, in any case; numbers in any spelling, so that 1.0 is 1.

    Another value is neither 0 nor 1, so its row is quarantined: it is not taken for an outcome not known yet.
    """
    text, groups = f"trim({column})", (outcome.bad, outcome.good, outcome.unresolved)
    lower = [sorted({value.lower() for value in values}) for values in groups]
    every = [value for values in lower for value in values]
    read = [[quote_literal(value) for value in values] for values in groups]
    if all(number(value) is not None for value in every):
        text = f"TRY_CAST({text} AS DOUBLE)"
        read = [sorted({f"{float(value):g}" for value in values}) for values in groups]
    elif len(every) == len({*every}):  # no case tells a default from a repaid loan
        text, read = f"lower({text})", [[quote_literal(value) for value in values] for values in lower]
    thens = zip(read, ("1", "0", "NULL"), strict=True)
    cases = " ".join(f"WHEN {_one_of(text, values)} THEN {then}" for values, then in thens if values)
    return f"CASE {cases} WHEN trim({column}) <> '' THEN {UNREAD} END"


def _one_of(column: str, values: list[str]) -> str:
    return f"{column} = {values[0]}" if len(values) == 1 else f"{column} IN ({', '.join(values)})"


def _with_raw_names(text: str, renamed: Mapping[str, str]) -> str:
    if all(column == raw for column, raw in renamed.items()):
        return " ".join(text.split())
    tree = sqlglot.parse_one(f"SELECT {text}", read="duckdb")
    for column in list(tree.find_all(exp.Column)):
        column.replace(exp.column(exp.to_identifier(renamed[column.name.lower()], quoted=True)))
    return tree.sql(dialect="duckdb").removeprefix("SELECT ")


def _no_target(counts: Mapping[str, dict[str, int]], labels: Mapping[str, str]) -> str:
    likely = [raw for raw, values in counts.items() if len(values) == 2 or name_score(split_words(labels[raw])) > 0]
    likely.sort(key=lambda raw: (-name_score(split_words(labels[raw])), len(counts[raw])))
    told = "no column's name and values say whether a loan defaulted. "
    if likely:
        shown = ", ".join(repr(labels[raw]) for raw in likely[:MAX_SHOWN])
        told += f"Columns that could: {shown}. Say which and how: TARGET=\"{_format_column(likely[0])} = '...'\"."
        return told
    return told + "Add a column with the outcome (1 default, 0 repaid), or say it: TARGET=\"column = 'value'\"."


def _format_column(raw: str) -> str:
    return raw if raw.isidentifier() and raw.isascii() else quote_identifier(raw).replace('"', '\\"')

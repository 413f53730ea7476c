"""How a key is read, so that one loan has one key in every file and request.

Programs write a number that identifies a loan as `1077501`, as `1077501.0` or as `1.0775e6`. The first two are one
key. The last one has lost digits, so it is no key. An exponent is known by its plus or by decimals before it: `2e5`
may be an identifier, so as a text it is a key.
"""

import re

import polars as pl

from loan_platform.core.book.column_types import BLANKS, trimmed
from loan_platform.core.book.parts.columns import Column
from loan_platform.core.book.sql import quote_literal

NO_KEY = "is a number with decimals, an exponent or separated thousands, which is no key"
INEXACT_KEY = "is a float of at least 2^53, which may stand for several keys: send it as text or without a point"
_THOUSAND = r"[0-9]{1,3}\.000"  # 12 with three decimals, or twelve thousand
WHOLE_KEY = r"(-?[0-9]+)\.0*"
NUMBER_KEY = (
    r"[-+]?(?:"
    r"[0-9]+(?:[.,][0-9]*)?[eE]\+[0-9]+|[0-9]+[.,][0-9]*[eE]-?[0-9]+"  # exponents
    r"|[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|[0-9]{1,3}(?:\.[0-9]{3})+(?:,[0-9]+)?"  # thousands
    r"|[0-9]+[.,][0-9]+)"  # decimals
)
_WHOLE, _NUMBER = re.compile(WHOLE_KEY), re.compile(NUMBER_KEY)
_AMBIGUOUS = re.compile(_THOUSAND)


class NoKeyError(ValueError):
    """A text that looks like a number and is no key."""


def canonical_key(text: str) -> str:
    """The key that a text stands for: without white space around it, `1077501` for `1077501.0`.

    Raises:
        NoKeyError: a number with decimals, an exponent or separated thousands.
    """
    key = trimmed(text)
    if (whole := _WHOLE.fullmatch(key)) and not _AMBIGUOUS.fullmatch(key):
        return whole[1]
    if _NUMBER.fullmatch(key):
        raise NoKeyError
    return key


def refused_pattern() -> str:
    """Pattern of the texts that are no key, without anchors, for JSON schemas."""
    return rf"{_THOUSAND}|(?!-?[0-9]+\.0*(?![0-9.,eE])){NUMBER_KEY}"


def canonical_keys(texts: pl.Expr) -> pl.Expr:
    """`canonical_key` of a column; null for what is no key."""
    key = texts.str.strip_chars(BLANKS)
    thousand, whole, number = (key.str.contains(f"^(?:{p})$") for p in (_THOUSAND, WHOLE_KEY, NUMBER_KEY))
    none = pl.lit(None, pl.String)
    return (
        pl.when(thousand).then(none).when(whole).then(key.str.extract(WHOLE_KEY)).when(number).then(none).otherwise(key)
    )


def key_value_sql(column: Column, text: str, value: str) -> str:
    """DuckDB SQL of the value of a key column; null where the text is no key.

    Args:
        column: of the contract.
        text: SQL of the text.
        value: SQL of what the column's type makes of it.
    """
    if column.type in ("number", "integer"):
        whole = f" AND {value} = trunc({value})" if column.type == "number" else ""
        return f"CASE WHEN NOT contains(lower({text}), 'e'){whole} THEN {value} END"
    if column.type != "text" or column.allowed is not None:
        return value
    thousand, whole, number = (quote_literal(pattern) for pattern in (_THOUSAND, WHOLE_KEY, NUMBER_KEY))
    return (
        f"CASE WHEN NOT regexp_matches({text}, '[.,+]') THEN {value} "
        f"WHEN regexp_full_match({text}, {thousand}) THEN NULL "
        f"WHEN regexp_full_match({text}, {whole}) THEN regexp_extract({text}, {quote_literal(f'^{WHOLE_KEY}')}, 1) "
        f"WHEN NOT regexp_full_match({text}, {number}) THEN {value} END"
    )

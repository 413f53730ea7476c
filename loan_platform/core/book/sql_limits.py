"""How long and how nested SQL of a book may be. Beyond it, parsers and engines take minutes or crash."""

import re

MAX_CHARACTERS = 20_000
MAX_WORDS = 1_000  # of an expression: Polars takes 2 s for 300 ANDs, and eight times that for twice as many
MAX_WORDS_OF_QUERY = 5_000
MAX_DEPTH = 20  # sqlglot takes 20 frames of Python's stack for each level

_QUOTED = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"")
_WORD = re.compile(r"\w+|[^\w\s]")
_LEVEL = re.compile(r"(?P<opens>[(\[{]|\bCASE\b)|[)\]}]|\bEND\b", re.IGNORECASE)


def beyond_limits(text: str, is_query: bool = False) -> str | None:
    """What is too much in an SQL text, for a message; None if nothing is.

    Args:
        text: an expression, or a query.
        is_query: the text is a query, which may have more words.
    """
    if len(text) > MAX_CHARACTERS:
        return f"has {len(text):,} characters, {MAX_CHARACTERS:,} at most"
    if len(text) <= MAX_DEPTH:
        return None
    bare = _QUOTED.sub("x", text)
    most = MAX_WORDS_OF_QUERY if is_query else MAX_WORDS
    if len(bare) > most and (words := len(_WORD.findall(bare))) > most:
        return f"has {words:,} names, numbers and signs, {most:,} at most"
    if _depth(bare) > MAX_DEPTH:
        return f"is nested deeper than {MAX_DEPTH} levels"
    return None


def _depth(text: str) -> int:
    """Levels of brackets and CASE."""
    depth = deepest = 0
    for found in _LEVEL.finditer(text):
        depth += 1 if found["opens"] else -1
        deepest = max(deepest, depth)
    return deepest

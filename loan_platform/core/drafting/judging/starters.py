"""The starter features: columns available at application, flags for missing values, and months since dates."""

from collections.abc import Iterable, Iterator

from loan_platform.core.book.parts.features import Feature
from loan_platform.core.drafting.judging.judged_columns import JudgedColumn
from loan_platform.core.drafting.judging.roles import is_place
from loan_platform.core.drafting.judging.statistics import MIN_MISSING, Statistics
from loan_platform.core.drafting.reading.names import MAX_LENGTH, TAKEN, display_name
from loan_platform.core.drafting.reading.vocabulary import CODE_WORDS

MAX_LEVELS = 30
MIN_LOANS_PER_LEVEL = 20
MAX_CODES = 12


def starter_features(judged: Iterable[JudgedColumn], event: str | None, rows: int) -> list[tuple[Feature, Statistics]]:
    """Features of every column that may have one, each with the statistics of its column.

    Args:
        judged: the columns of the contract, without key and event date.
        event: name of the event date.
        rows: loans in the profile.
    """
    found: list[tuple[Feature, Statistics]] = []
    used = set(TAKEN)
    for item in judged:
        if item.leak or item.protected or item.draft.source is None or is_place(item.draft.source):
            continue
        for feature in _features(item, event, rows):
            name, number = feature.name, 2
            while name in used:
                name, number = f"{feature.name[: MAX_LENGTH - 3]}_{number}", number + 1
            used.add(name)
            found.append((feature.model_copy(update={"name": name}), item.stats))
    return found


def _features(item: JudgedColumn, event: str | None, rows: int) -> Iterator[Feature]:
    column, stats = item.column, item.stats
    words = display_name(column.description.rstrip(".") if item.draft.source is None else item.draft.source.label)
    if item.draft.source is not None and item.draft.source.code is not None:
        yield _code(column.name, item.draft.source.label, item.draft.source.code.value)
    elif column.type == "date":
        if event is not None:
            yield _age(column.name, words, event)
    elif _is_category(item):
        if stats.distinct <= MAX_LEVELS and rows >= MIN_LOANS_PER_LEVEL * stats.distinct:
            yield Feature(name=column.name, sql=column.name, kind="category", description=f"{words}.", reason=words)
    else:
        unit = f", {column.unit}" if column.unit else ""
        yield Feature(name=column.name, sql=column.name, description=f"{words}{unit}.", reason=words)
    if stats.missing_tells and column.type != "date" and not _only_codes(item):
        yield Feature(
            name=f"{column.name[: MAX_LENGTH - 8]}_missing",
            sql=f"CASE WHEN {column.name} IS NULL THEN 1 ELSE 0 END",
            description=f"Whether {words[:1].lower()}{words[1:]} is missing.",
            reason=f"{words} is not stated",
        )


def _code(name: str, label: str, code: int) -> Feature:
    words = display_name(label.removesuffix(f" is {code}"))
    words = f"{words[:1].lower()}{words[1:]}"
    return Feature(
        name=name,
        sql=name,
        description=f"1 where {words} has the special code {code}, 0 elsewhere.",
        reason=f"Special code {code} of {words}",
    )


def _only_codes(item: JudgedColumn) -> bool:
    """Whether special codes with columns of their own are all that is missing."""
    source = item.draft.source
    return source is not None and bool(source.reading.codes) and source.missing_beside_codes < MIN_MISSING


def _is_category(item: JudgedColumn) -> bool:
    column, source = item.column, item.draft.source
    if column.type == "text":
        return True
    named = source is not None and bool(set(source.words) & CODE_WORDS)
    return column.type == "integer" and named and item.stats.distinct <= MAX_CODES


def _age(name: str, words: str, event: str) -> Feature:
    def month(column: str) -> str:
        return f"EXTRACT(YEAR FROM {column}) * 12 + EXTRACT(MONTH FROM {column})"

    return Feature(
        name=f"{name[: MAX_LENGTH - 7]}_months",
        sql=f"({month(event)}) - ({month(name)})",
        description=f"Months from {words[:1].lower()}{words[1:]} to the decision.",
        reason=f"Time since {words[:1].lower()}{words[1:]}",
    )

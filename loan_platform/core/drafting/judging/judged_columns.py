"""Judges one typed column: role, range, and the comments above it in the contract."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import polars as pl

from loan_platform.core.book.parts.columns import Column
from loan_platform.core.drafting.judging.ranges import drafted_range
from loan_platform.core.drafting.judging.roles import is_place, is_pricing, is_protected, sounds_later
from loan_platform.core.drafting.judging.statistics import Statistics
from loan_platform.core.drafting.reading.columns import DraftColumn, category_counts, rare_values
from loan_platform.core.drafting.reading.survey import RawColumn
from loan_platform.core.drafting.reading.vocabulary import ORDINARY

LEAK_AUC = 0.90
CERTAIN_LEAK_AUC = 0.95  # also of a column that a lender looks at, such as a balance
STRONG_AUC = 0.80
MOSTLY = 0.5
MAX_SHOWN = 8
MAKE_SURE = "Make sure that it is known when the lender decides."


@dataclass(frozen=True)
class JudgedColumn:
    """A column of the draft with its statistics.

    Attributes:
        draft: as the contract has it.
        stats: of its typed values.
        leak: why it is probably known only after origination, or None.
        protected: the word that makes it protected, or None.
        evidence: what its values show of that, or None where its name or its dates alone say it.
        strong: so strong that a person should look at it.
    """

    draft: DraftColumn
    stats: Statistics
    leak: str | None = None
    protected: str | None = None
    evidence: str | None = None
    strong: bool = False

    @property
    def column(self) -> Column:
        """As the contract has it."""
        return self.draft.column


def judge(
    column: Column,
    source: RawColumn,
    stats: Statistics,
    values: pl.Series,
    event: pl.Series | None,
    nulled: int,
    leak: str | None = None,
    evidence: str | None = None,
) -> JudgedColumn:
    """One column with role, range and comments.

    Args:
        column: as `plain_column` gives it.
        source: the raw column.
        stats: of `values`.
        values: typed.
        event: dates of the decision, None where there are none or this is the column.
        nulled: number of values that are invalid for the type.
        leak: why it is one by what it is made from, or what it follows.
        evidence: why it is one by its values, as `late_evidence` gives it.
    """
    late, protected = _later_than(values, event), is_protected(source)
    evidence = evidence or _too_good(source, stats)
    leak = leak or _leak(source, late) or evidence
    available_at = "after_origination" if leak else "pricing" if is_pricing(source) else "application"
    low, high = (0.0, 1.0) if source.code else _range(column, stats)
    changes = {
        "available_at": available_at,
        "protected": protected is not None,
        "minimum": low,
        "maximum": high,
    }
    comments = [*_comments(column, source, stats, nulled), *_warnings(source, stats, leak, protected, late, evidence)]
    drafted = column.model_copy(update=changes)
    strong = not leak and not protected and stats.auc >= STRONG_AUC
    return JudgedColumn(DraftColumn(drafted, source, tuple(comments)), stats, leak, protected, evidence, strong)


def called_strong(item: JudgedColumn) -> JudgedColumn:
    """The column with the comment that it is far above all others."""
    comment = f"STRONG: alone it has an AUC of {item.stats.auc:.2f}, far above all others. {MAKE_SURE}"
    return replace(item, draft=replace(item.draft, comments=(*item.draft.comments, comment)), strong=True)


def event_column(column: Column, source: RawColumn, values: pl.Series) -> DraftColumn:
    """The date of the decision: required, since every loan has a vintage."""
    months = values.dt.truncate("1mo").drop_nulls()
    first, last = months.min(), months.max()
    told = f"taken for the date of the decision: {months.n_unique()} months from {first:%Y-%m} to {last:%Y-%m}"
    comments = (told, *source.reading.doubts)
    changes = {"required": True, "on_invalid": "quarantine", "severity": "critical"}
    return DraftColumn(column.model_copy(update=changes), source, comments)


def _later_than(values: pl.Series, event: pl.Series | None) -> float:
    if event is None or values.dtype != pl.Date:
        return 0.0
    later = (values > event).drop_nulls()
    return int(later.sum()) / len(later) if len(later) else 0.0


def _leak(source: RawColumn, late: float) -> str | None:
    if words := sounds_later(source):
        return f"its name speaks of what comes after ({words})"
    if late > MOSTLY:
        return f"it is later than the decision in {late:.0%} of the rows"
    return None


def _too_good(source: RawColumn, stats: Statistics) -> str | None:
    limit = CERTAIN_LEAK_AUC if set(source.words) & ORDINARY else LEAK_AUC
    if stats.auc >= limit:
        return f"alone it tells the outcome with an AUC of {stats.auc:.2f}, too good to be known at application"
    return None


def _range(column: Column, stats: Statistics) -> tuple[float | None, float | None]:
    if column.type not in ("number", "integer", "percent") or stats.low is None or stats.high is None:
        return None, None
    is_year = column.type == "integer" and stats.low >= 1900 and stats.high <= 2100
    return drafted_range(stats.low, stats.high, column.type == "percent", is_year)


def _comments(column: Column, source: RawColumn, stats: Statistics, nulled: int) -> list[str]:
    told: list[str] = []
    if stats.low is not None:
        low, high, middle = (_format_number(value) for value in (stats.low, stats.high, stats.middle))
        told.append(f"observed {low} to {high}, median {middle}")
    elif column.allowed:
        counts = category_counts(source)
        shown = ", ".join(f"{value} {rows:,}" for value, rows in list(counts.items())[:MAX_SHOWN])
        told.append(f"observed {shown}" + (f" and {len(counts) - MAX_SHOWN} more" if len(counts) > MAX_SHOWN else ""))
    if stats.missing > 0:
        told.append(
            f"{100 * stats.missing:.2g} % missing" + (", which tells about the risk" if stats.missing_tells else "")
        )
    told.append(f"AUC {stats.auc:.2f} alone{_trend(stats)}")
    lines = ["; ".join(told)]
    if column.written_as == "fraction":
        lines.append("the file writes 11 % as 0.11; the value is 11. If it means 0.11 %, change `written_as`")
    lines += [*source.reading.doubts, *_missing_marks(source)]
    if nulled:
        lines.append(f"{nulled:,} values are no {column.type} and are read as missing")
    if rare := rare_values(source):
        lines.append(f"{rare} values with fewer than 5 rows are no category and are read as missing")
    return lines


def _missing_marks(source: RawColumn) -> Iterator[str]:
    """What is said of special codes, and of marks that are a value of another column."""
    if source.code:
        yield "computed from the file. A caller of the service sends it: 1 instead of the code, 0 for any other loan"
    if source.reading.codes:
        shown = ", ".join(f"{code.value} in {code.rows / source.rows:.2%} of the rows" for code in source.reading.codes)
        yield (
            f"special codes, apart from all other values: {shown}. They are read as missing, and each with rows enough "
            "has a column of 0 and 1. If one is a value, remove its nullif and its column"
        )
    if source.own_marks:
        marks = " and ".join(map(repr, source.own_marks))
        yield f"{marks} is read as missing in this column alone: it is a value of another column"


def _format_number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 10_000 or value == int(value) else f"{value:,.4g}"


def _trend(stats: Statistics) -> str:
    return "" if stats.rises is None else f", risk {'rises' if stats.rises else 'falls'} with it"


def _warnings(
    source: RawColumn, stats: Statistics, leak: str | None, protected: str | None, late: float, evidence: str | None
) -> list[str]:
    if leak:
        return [
            f"POSSIBLE LEAK: {leak}.",
            *([f"TOO GOOD TO BE TRUE: {evidence}."] if evidence and evidence != leak else []),
            "If the lender has it when it decides, change `available_at` and add a feature.",
        ]
    if protected:
        return [f"Its name speaks of a protected attribute ({protected}): never a feature; used to test fairness."]
    if stats.auc >= STRONG_AUC:
        return [f"STRONG: alone it has an AUC of {stats.auc:.2f}. {MAKE_SURE}"]
    if is_place(source):
        return ["Where people live can stand for a protected attribute, so no feature is drafted from it."]
    return [f"later than the decision in {late:.1%} of the rows"] if late else []


def leak_reasons(judged: Mapping[str, JudgedColumn]) -> dict[str, str]:
    """Columns that are probably known only after origination, with the reason."""
    return {name: item.leak for name, item in judged.items() if item.leak}

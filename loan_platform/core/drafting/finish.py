"""Completes a draft from typed rows: event date, roles, ranges, features and policies."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import polars as pl

from loan_platform.core.book.constants import TARGET
from loan_platform.core.book.contract import Contract
from loan_platform.core.book.monitoring_policies import PartitionPolicy
from loan_platform.core.book.parts.features import Feature
from loan_platform.core.drafting.judging.errors import DraftError
from loan_platform.core.drafting.judging.events import event_date
from loan_platform.core.drafting.judging.judged_columns import JudgedColumn, called_strong, event_column, judge
from loan_platform.core.drafting.judging.late_columns import (
    Loans,
    jumps,
    late_evidence,
    made_from_leaks,
    paid_out_later,
)
from loan_platform.core.drafting.judging.policy_choice import ChosenPolicies, promotion_for, training_for
from loan_platform.core.drafting.judging.roles import LeftOut, is_place
from loan_platform.core.drafting.judging.starters import starter_features
from loan_platform.core.drafting.judging.statistics import Statistics, statistics
from loan_platform.core.drafting.judging.strength import strength
from loan_platform.core.drafting.judging.windows import MIN_RESOLVED, choose_split, first_month
from loan_platform.core.drafting.loan_terms import term_feature
from loan_platform.core.drafting.plan import Plan
from loan_platform.core.drafting.reading.columns import DraftColumn
from loan_platform.core.features.feature_set import FeatureSet

MAX_SHOWN = 10


@dataclass(frozen=True)
class JudgedColumns:
    """The event date (or None), all other columns, and columns without information."""

    event: DraftColumn | None
    columns: tuple[JudgedColumn, ...]
    left_out: tuple[LeftOut, ...]


def judged_columns(
    plan: Plan, typed: pl.DataFrame, nulled: Mapping[str, int], date: str | None = None
) -> JudgedColumns:
    """Judge each column by its values.

    Args:
        plan: columns that were read.
        typed: its accepted rows, with the target.
        nulled: number of values of each column that are invalid for its type.
        date: the raw column that the user names as the date of the decision.

    Raises:
        DraftError: that column cannot be the date.
    """
    sources = {column.name: source for column, source in plan.kept}
    dates = typed.select(column.name for column, _ in plan.kept if column.type == "date")
    event = event_date(dates, sources, date)
    rows = typed.filter(pl.col(event).is_not_null()) if event else typed
    days = rows[event] if event else None
    loans = Loans(rows, event, sources[event] if event else None)
    judged: list[JudgedColumn] = []
    again: list[Callable[[str], JudgedColumn]] = []  # each column with the reason why it is a leak
    out: list[LeftOut] = []
    leaks: dict[str, str | None] = {}  # by raw column
    codes: list[str] = []
    for column, source in plan.kept:
        if column.name == event:
            continue
        values = rows[column.name]
        if why := _says_nothing(values, days):
            out.append(LeftOut(source.raw, source.label, why))
            continue
        if source.code and (twin := next((name for name in codes if rows[name].equals(values)), None)):
            out.append(LeftOut(source.raw, source.label, f"repeats {twin!r} in every row"))
            continue
        stats = statistics(values, rows[TARGET])
        before = leaks.get(source.raw) if source.code else paid_out_later(source, loans.event_source)
        told = partial(judge, column, source, stats, values, days, nulled.get(column.name, 0))
        judged.append(told(before, late_evidence(column.name, source, loans)))
        again.append(told)
        leaks[source.raw] = judged[-1].leak
        codes += [column.name] if source.code else []
    made = made_from_leaks(judged, loans)
    judged = [told(made[n]) if (n := one.column.name) in made else one for one, told in zip(judged, again, strict=True)]
    jump = jumps(judged)
    judged = [called_strong(item) if item.column.name == jump else item for item in judged]
    columns = {column.name: column for column, _ in plan.kept}
    drafted = event_column(columns[event], sources[event], rows[event]) if event else None
    return JudgedColumns(drafted, tuple(judged), tuple(out))


def _says_nothing(values: pl.Series, days: pl.Series | None) -> str | None:
    if values.null_count() == len(values):
        return "no value is one of its type"
    if days is None or values.dtype != pl.Int64:
        return None
    # Later months have values of it that training never saw.
    for word, part in (("year", days.dt.year()), ("month", days.dt.month())):
        if (values == part).fill_null(True).all() and values.n_unique() > 1:
            return f"repeats the {word} of the decision"
    return None


def choose_features(
    judged: tuple[JudgedColumn, ...], event: DraftColumn | None, rows: int, out: tuple[LeftOut, ...]
) -> tuple[tuple[Feature, Statistics], ...]:
    """The starter features.

    Args:
        judged: columns of the contract.
        event: the date of the decision.
        rows: loans.
        out: columns that are left out, for the message.

    Raises:
        DraftError: there is none.
    """
    found = tuple(starter_features(judged, event.column.name if event else None, rows))
    if not any(item.column.available_at == "application" for item in judged if item.column.name in _read(found)):
        reasons = [f"{item.column.name}: {_why_no_feature(item)}" for item in judged]
        reasons += [f"{item.label!r}: {item.why}" for item in out]
        told = "; ".join(reasons[:MAX_SHOWN]) or "the file has no other column"
        raise DraftError(
            f"no column is left that a model may use. {told}. Give a file with what is known at application, or "
            "write the contract by hand (docs/contract.md)."
        )
    return found


def _why_no_feature(item: JudgedColumn) -> str:
    if item.leak or item.protected:
        return item.leak or f"protected ({item.protected})"
    if item.draft.source is not None and is_place(item.draft.source):
        return "a place of residence"
    return (
        "known only when the price is set" if item.column.available_at == "pricing" else "no feature is drafted of it"
    )


def _read(features: tuple[tuple[Feature, Statistics], ...]) -> frozenset[str]:
    return frozenset[str]().union(*(feature.columns for feature, _ in features))


def choose_policies(contract: Contract, typed: pl.DataFrame, threads: int) -> ChosenPolicies:
    """Policies that suit the loans.

    Args:
        contract: the drafted one.
        typed: accepted rows.
        threads: cores used.

    Raises:
        SplitError: the loans are too few to split.
    """
    rows = typed.filter(pl.col(contract.event_date).is_not_null()) if contract.event_date else typed
    event = rows[contract.event_date] if contract.event_date else None
    features = FeatureSet(contract).compute(rows)
    term = None if event is None else term_feature(contract, features, rows[TARGET], event, MIN_RESOLVED)
    chosen = choose_split(rows[contract.entity_key], rows[TARGET], event, term.values if term else None)
    if term is not None and chosen.policy.mature_by is not None:
        chosen = replace(chosen, why_mature_by=term.why)
    target = rows[TARGET].to_numpy().astype(np.float64)
    found = strength(features, target, chosen.rows.fit, chosen.rows.calibration, threads)
    training = [chosen.rows.parts[name] for name in ("fit", "calibration")]
    every = PartitionPolicy(every="none") if event is None else PartitionPolicy(every="month", start=first_month(event))
    return ChosenPolicies(
        split=chosen,
        training=training_for(sum(part.rows for part in training), sum(part.defaults for part in training)),
        promotion=promotion_for(found, chosen),
        partitions=every,
        strength=found,
    )

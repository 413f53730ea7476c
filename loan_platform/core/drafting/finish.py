"""From typed rows to the whole draft: roles, ranges, features and policies."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from loan_platform.core.book.constants import TARGET
from loan_platform.core.book.contract import Contract
from loan_platform.core.book.contract_parts import Feature
from loan_platform.core.book.policies import Partitions
from loan_platform.core.drafting.judging.errors import DraftError
from loan_platform.core.drafting.judging.events import event_date
from loan_platform.core.drafting.judging.judged_columns import Judged, event_column, judge
from loan_platform.core.drafting.judging.policy_choice import ChosenPolicies, promotion_for, training_for
from loan_platform.core.drafting.judging.roles import LeftOut
from loan_platform.core.drafting.judging.starters import starter_features
from loan_platform.core.drafting.judging.statistics import Statistics, statistics
from loan_platform.core.drafting.judging.strength import strength
from loan_platform.core.drafting.judging.windows import choose_split, first_month
from loan_platform.core.drafting.plan import Plan
from loan_platform.core.drafting.reading.columns import DraftColumn
from loan_platform.core.features.feature_set import FeatureSet


@dataclass(frozen=True)
class JudgedColumns:
    """The event date, if there is one, all other columns, and those that turned out to say nothing."""

    event: DraftColumn | None
    columns: tuple[Judged, ...]
    left_out: tuple[LeftOut, ...]


def judged_columns(plan: Plan, typed: pl.DataFrame, nulled: Mapping[str, int]) -> JudgedColumns:
    """What the values of the columns show.

    Args:
        plan: what was read.
        typed: its accepted rows, with the target.
        nulled: values of each column that are no value of its type.
    """
    sources = {column.name: source for column, source in plan.kept}
    dates = typed.select(column.name for column, _ in plan.kept if column.type == "date")
    event = event_date(dates, sources)
    rows = typed.filter(pl.col(event).is_not_null()) if event else typed
    days = rows[event] if event else None
    judged: list[Judged] = []
    out: list[LeftOut] = []
    for column, source in plan.kept:
        if column.name == event:
            continue
        values = rows[column.name]
        if why := _says_nothing(values, days):
            out.append(LeftOut(source.raw, source.label, why))
            continue
        stats = statistics(values, rows[TARGET])
        judged.append(judge(column, source, stats, values, days, nulled.get(column.name, 0)))
    columns = {column.name: column for column, _ in plan.kept}
    drafted = event_column(columns[event], sources[event], rows[event]) if event else None
    return JudgedColumns(drafted, tuple(judged), tuple(out))


def _says_nothing(values: pl.Series, days: pl.Series | None) -> str | None:
    if values.null_count() == len(values):
        return "no value is one of its type"
    if days is None or values.dtype != pl.Int64:
        return None
    # In later months these have values that training never saw.
    for word, part in (("year", days.dt.year()), ("month", days.dt.month())):
        if (values == part).fill_null(True).all() and values.n_unique() > 1:
            return f"repeats the {word} of the decision"
    return None


def features_of(
    judged: tuple[Judged, ...], event: DraftColumn | None, rows: int
) -> tuple[tuple[Feature, Statistics], ...]:
    """The starter features.

    Raises:
        DraftError: there is none.
    """
    found = tuple(starter_features(judged, event.column.name if event else None, rows))
    if not any(item.column.known == "application" for item in judged if item.column.name in _read(found)):
        told = "; ".join(f"{item.column.name}: {item.leak or item.protected or 'no feature'}" for item in judged[:10])
        raise DraftError(
            f"no column is left that a model may use. {told}. Give a file with what is known at application, or "
            "write the contract by hand (docs/contract.md)."
        )
    return found


def _read(features: tuple[tuple[Feature, Statistics], ...]) -> frozenset[str]:
    return frozenset[str]().union(*(feature.columns for feature, _ in features))


def policies_of(contract: Contract, typed: pl.DataFrame, threads: int) -> ChosenPolicies:
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
    chosen = choose_split(rows[contract.entity_key], rows[TARGET], event)
    features = FeatureSet(contract).compute(rows)
    target = rows[TARGET].to_numpy().astype(np.float64)
    found = strength(features, target, chosen.rows.fit, chosen.rows.calibration, threads)
    training = [chosen.rows.parts[name] for name in ("fit", "calibration")]
    every = Partitions(every="none") if event is None else Partitions(every="month", start=first_month(event))
    return ChosenPolicies(
        split=chosen,
        training=training_for(sum(part.rows for part in training), sum(part.defaults for part in training)),
        promotion=promotion_for(found, chosen),
        partitions=every,
        strength=found,
    )

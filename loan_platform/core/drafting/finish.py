"""From typed rows to the whole draft: roles, ranges, features and policies."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from loan_platform.core.drafting.columns import DraftColumn
from loan_platform.core.drafting.errors import DraftError
from loan_platform.core.drafting.events import event_date
from loan_platform.core.drafting.judging import Judged, event_column, judge
from loan_platform.core.drafting.names import words_of
from loan_platform.core.drafting.plan import Plan
from loan_platform.core.drafting.policy_choice import ChosenPolicies, promotion_for, training_for
from loan_platform.core.drafting.starters import starter_features
from loan_platform.core.drafting.statistics import Statistics, statistics
from loan_platform.core.drafting.strength import strength
from loan_platform.core.drafting.windows import choose_split, first_month
from loan_platform.core.contract import Contract, Feature
from loan_platform.core.features import FeatureSet
from loan_platform.core.policies import Partitions
from loan_platform.core.table import TARGET


def judged_columns(
    plan: Plan, typed: pl.DataFrame, nulled: Mapping[str, int]
) -> tuple[DraftColumn | None, tuple[Judged, ...]]:
    """The event date, if there is one, and all other columns with what their values show.

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
    drafted: DraftColumn | None = None
    for column, source in plan.kept:
        values = rows[column.name]
        if column.name == event:
            drafted = event_column(column, source, values)
        else:
            stats = statistics(values, rows[TARGET])
            judged.append(judge(column, source, stats, values, days, nulled.get(column.name, 0)))
    return drafted, tuple(item for item in judged if item.stats.distinct > 0 and not _repeats_date(item, rows, days))


def _repeats_date(item: Judged, rows: pl.DataFrame, days: pl.Series | None) -> bool:
    """The year or month of the event date once more: in later months it has values that training never saw."""
    source = item.draft.source
    if days is None or item.column.type != "integer" or source is None:
        return False
    parts = {"year": days.dt.year(), "month": days.dt.month()}
    values = rows[item.column.name]
    return any(
        (values == part.cast(values.dtype)).mean() == 1.0
        for word, part in parts.items()
        if word in words_of(source.label) or item.stats.distinct > 1
    )


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
            f"no column is left that a model may use. {told}. Give a file with what is known at application, or write the "
            "contract by hand (docs/contract.md)."
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

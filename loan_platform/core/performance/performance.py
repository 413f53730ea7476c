"""How past predictions performed once their loans matured, by model version. Only out-of-sample loans count."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import polars as pl

from loan_platform.core.book.monitoring_policies import DriftPolicy
from loan_platform.core.evaluation.bootstrap import Interval
from loan_platform.core.evaluation.metrics import Metrics, evaluate
from loan_platform.core.performance.maturity import EXPECTED, MONTH, matured, of_months, with_expected
from loan_platform.core.performance.not_judged import immature_kinds, never_taken_up, together, too_early, undated
from loan_platform.core.performance.same_model import AnsweringModel, loans_of_model
from loan_platform.core.performance.verdict import GiniReference, Judge, Verdict, trend
from loan_platform.core.performance.window import Population, Window, change, newest_window


@dataclass(frozen=True)
class LoanCounts:
    """Scored applications, those that became a loan as far as is known (`expected`), and known outcomes."""

    scored: int
    expected: int
    known: int


@dataclass(frozen=True)
class VintagePerformance:
    """One month of issue. Metrics are of the loans that are mature in it, if outcomes of both kinds are known.

    `mature`: whether any kind of loan is.
    """

    vintage: date
    scored: int
    expected: int
    known: int
    mature: bool
    metrics: Metrics | None


@dataclass(frozen=True)
class VersionPerformance:
    """One model version.

    Attributes:
        population: whose loans are judged: all that were scored, or those that the version approved.
        reference: Gini of the version on the same population of its test loans; None where it is not known.
        floor: share of it that the policy asks for.
        window: the newest mature loans, which are judged; None without a mature month.
        trend: their Gini minus that of the mature months before.
        vintages: months of the population, oldest first.
        same_model: other versions of the same model whose loans are judged with this version's.
    """

    version: int
    population: Population
    counts: LoanCounts
    verdict: Verdict
    reason: str
    reference: Interval | None
    floor: float | None
    window: Window | None
    trend: Interval | None
    vintages: tuple[VintagePerformance, ...]
    same_model: tuple[int, ...] = ()

    def to_frame(self) -> pl.DataFrame:
        """Vintages with known metrics, in the form of `metrics.by_vintage`."""
        known = [(v.vintage, v.metrics) for v in self.vintages if v.metrics is not None]
        rows = [(at, m.rows, m.base_rate, m.mean_probability, m.auc, m.ece) for at, m in known]
        names = ("observed", "predicted", "auc", "ece")
        schema = {"vintage": pl.Date, "rows": pl.Int64, **dict.fromkeys(names, pl.Float64)}
        return pl.DataFrame(rows, schema=schema, orient="row")


@dataclass(frozen=True)
class Performance:
    """All versions, newest first; the verdict is that on the champion. `champion` is None after a withdrawal."""

    champion: int | None
    versions: tuple[VersionPerformance, ...]
    overall: LoanCounts
    in_sample: int

    @property
    def of_champion(self) -> VersionPerformance | None:
        """The champion's performance; None if there is none, or it has scored no loan that can be judged."""
        return next((found for found in self.versions if found.version == self.champion), None)

    @property
    def verdict(self) -> Verdict:
        """The verdict on the champion."""
        return "unknown" if self.of_champion is None else self.of_champion.verdict

    @property
    def reason(self) -> str:
        """The reason of the verdict, and the verdicts on other versions."""
        found = self.of_champion
        told = "it has scored no loan out of sample" if found is None else found.reason
        champion = "no version is champion" if self.champion is None else f"version {self.champion}: {told}"
        others = [f"version {v.version} is {v.verdict}" for v in self.versions if v is not found]
        return "; ".join((champion, *others))


def performance(
    predictions: pl.DataFrame,
    references: Mapping[int, GiniReference],
    champion: int | None,
    policy: DriftPolicy,
    min_resolved: float = 0.9,
    models: Mapping[int, AnsweringModel] | None = None,
) -> Performance:
    """Judge the past predictions of each model version by the outcomes that are known.

    Development loans are left out and counted. A version is judged on its newest mature months, as few as have enough
    outcomes, because the first outcomes of a month are nearly all defaults, and because old months hide a change. Where
    declined applications have no outcomes, only the loans that the version approved are judged, against its Gini on the
    test loans that it approves. The verdict is `degraded` if the interval of the Gini lies below the policy's share of
    that reference, or if more or fewer loans defaulted than was predicted, by the policy's factor and beyond chance. It
    is `unknown` if too few outcomes are known to tell (decision 29).

    The champion is judged on the loans of all versions with its model, so other cut-offs do not begin anew.

    Args:
        predictions: one row per scored loan: `vintage` (date; null for a book without dates), `model_version`,
            `probability`, `outcome` (1 default, 0 repaid, null unknown), `approved` (by the version), `reported` (the
            lender's files have the loan), `in_sample` (the loan trained or calibrated the version that scored it), and
            with `split.mature_by` the `kind` of loan: each kind is mature in months of its own.
        references: Gini on the test loans of each version.
        champion: version whose verdict counts; None where there is none.
        policy: share of that Gini to keep, factor of the default rate, and number of known outcomes needed.
        min_resolved: share of a month's expected outcomes that must be known before the month is judged.
        models: how each version answers, of those where it is known.

    Raises:
        ValueError: `in_sample` is null in a row.
    """
    if predictions["in_sample"].null_count():
        raise ValueError("in_sample is null: a prediction must say whether its loan was in the development data")
    fresh = with_expected(predictions).filter(~pl.col("in_sample"))
    parts = {int(str(key)): part for (key,), part in fresh.group_by("model_version")}
    if champion is not None and len(loans := loans_of_model(fresh, champion, models or {})):
        parts[champion] = loans
    nothing = GiniReference(None, None)
    return Performance(
        champion=champion,
        versions=tuple(
            _of_version(version, parts[version], references.get(version, nothing), policy, min_resolved)
            for version in sorted(parts, reverse=True)
        ),
        overall=_counts(fresh),
        in_sample=len(predictions) - len(fresh),
    )


def _of_version(
    version: int, scored: pl.DataFrame, reference: GiniReference, policy: DriftPolicy, min_resolved: float
) -> VersionPerformance:
    population, mature = _population(scored, min_resolved)
    judged = scored if population == "scored" else scored.filter("approved")
    judge = Judge(policy, population, reference.of(population))
    loans = judged.filter(EXPECTED)
    window, before = newest_window(of_months(loans, mature), policy.min_outcomes, judge.floor)
    early = too_early(loans, policy.min_outcomes, min_resolved)
    verdict, reason = judge.verdict(window) if len(mature) else ("unknown", early)
    reason += immature_kinds(loans, mature, window) + never_taken_up(judged, window) if len(mature) else ""
    reason += undated(loans)
    change_of_gini = change(window, before)
    others = tuple(int(other) for other in scored["model_version"].unique().sort() if other != version)
    return VersionPerformance(
        version=version,
        population=population,
        counts=_counts(scored),
        verdict=verdict,
        reason=reason + trend(change_of_gini) + together(others),
        reference=judge.reference,
        floor=judge.floor,
        window=window if len(mature) else None,
        trend=change_of_gini,
        vintages=_vintages(judged, mature),
        same_model=others,
    )


def _population(scored: pl.DataFrame, min_resolved: float) -> tuple[Population, pl.DataFrame]:
    """Whose loans are judged, with the mature months of each kind.

    All scored applications are, if nearly all of them have outcomes in those months: the model did not decide who got a
    loan. Otherwise those approved are: the outcomes of others are of a few whom a person or an older rule let through.
    """
    approved = scored.filter(pl.col("approved") & pl.col(EXPECTED))
    of_all, of_approved = matured(scored, min_resolved), matured(approved, min_resolved)
    both = of_months(scored, pl.concat([of_all, of_approved]))
    if len(of_all) and both["outcome"].count() >= min_resolved * len(both):
        return "scored", of_all
    return "approved", of_approved


def _counts(scored: pl.DataFrame) -> LoanCounts:
    return LoanCounts(len(scored), int(scored[EXPECTED].sum()), scored["outcome"].count())


def _vintages(judged: pl.DataFrame, mature: pl.DataFrame) -> tuple[VintagePerformance, ...]:
    dated = judged.drop_nulls(MONTH).sort(MONTH)
    return tuple(
        _vintage(month, part, of_months(part, mature))
        for (month,), part in dated.group_by(MONTH, maintain_order=True)
        if isinstance(month, date)
    )


def _vintage(month: date, loans: pl.DataFrame, mature: pl.DataFrame) -> VintagePerformance:
    known, counts = mature.drop_nulls("outcome"), _counts(loans)
    found = known["outcome"].n_unique() == 2
    metrics = evaluate(known["outcome"].to_numpy(), known["probability"].to_numpy()) if found else None
    return VintagePerformance(month, counts.scored, counts.expected, counts.known, len(mature) > 0, metrics)

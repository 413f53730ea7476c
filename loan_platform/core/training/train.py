"""Training: split, tune, choose, fit, calibrate, and then evaluate the test set once."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from loan_platform.core.book.constants import TARGET
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.book.training_policies import NON_MONOTONE_FAMILIES
from loan_platform.core.evaluation.bootstrap import Interval
from loan_platform.core.evaluation.forward_report import AgeReport, CalibrationReport
from loan_platform.core.evaluation.metrics import Metrics, auc, evaluate
from loan_platform.core.models.base import FitContext, Floats
from loan_platform.core.models.blend import blended
from loan_platform.core.models.families import BLEND, FITTED
from loan_platform.core.scoring.decisions import ProfitCurve
from loan_platform.core.scoring.scoring_model import ScoringModel
from loan_platform.core.training.fitting import TrainingData, fit_calibrated, predict_test_set
from loan_platform.core.training.model_age import auc_by_age
from loan_platform.core.training.model_selection import Choice, FoldScores, choose
from loan_platform.core.training.report import TrainedCandidate, TrainingReport
from loan_platform.core.training.splits import LoanSplit
from loan_platform.core.training.tuning import Fold, Tuned, tune, tuning_folds

OPEN_LOANS_ADVICE = {
    "out_of_time": "Known outcomes alone can mislead: early ones are mostly defaults. If the first of these is a kind "
    "of loan, such as the term, name it in split.mature_by; otherwise raise split.min_resolved",
    "hash": "Known outcomes alone can mislead: early ones are mostly defaults. Give the contract an event_date, so "
    "that months with open loans are left out, or loans old enough to be resolved",
}
KEEPS_NO_DIRECTIONS = "it cannot keep features to the directions that the contract gives them"


@dataclass(frozen=True)
class Candidate:
    """One model family, fitted and calibrated.

    `gain` is its mean AUC on the folds minus the scorecard's. `test` is computed after the choice.
    """

    family: str
    model: ScoringModel
    params: dict[str, Any]
    fold_aucs: tuple[float, ...]
    gain: Interval | None
    trials: int
    pruned: int
    seconds: float
    test: Metrics

    @property
    def mean_auc(self) -> float:
        """Mean AUC over the folds."""
        return float(np.mean(self.fold_aucs))

    def report(self) -> TrainedCandidate:
        """The candidate without its model and its time."""
        return TrainedCandidate(
            family=self.family,
            params=self.params,
            fold_aucs=self.fold_aucs,
            mean_auc=self.mean_auc,
            gain=self.gain,
            trials=self.trials,
            pruned=self.pruned,
            test=self.test,
        )


@dataclass(frozen=True)
class TrainingResult:
    """The chosen model and how it was chosen.

    Attributes:
        model: the chosen one.
        profit: profit of each cut-off on the calibration window.
        calibration_loans: `probability`, `target` and `exposure` of the loans of that window.
        choice: the chosen family, and why.
        candidates: every trained family.
        not_trained: the reason for each family that cannot be chosen.
        left_out: a sentence for each feature that the model does not read as the contract has it.
        split: which loans trained, calibrated and tested.
        calibration: how the calibration of the chosen model was chosen.
        ages: AUC of the chosen family's fold models by months ahead; empty without dates.
        test_predictions: one row per test loan: `row` in the training frame, key, event date (if there is one),
            target, and each candidate's probability under the name of its family.
    """

    model: ScoringModel
    profit: ProfitCurve
    calibration_loans: pl.DataFrame
    choice: Choice
    candidates: tuple[Candidate, ...]
    not_trained: dict[str, str]
    left_out: dict[str, str]
    split: LoanSplit
    calibration: CalibrationReport
    ages: tuple[AgeReport, ...]
    test_predictions: pl.DataFrame

    def report(self) -> TrainingReport:
        """How the model was chosen. The same data, seed and code give the same report."""
        return TrainingReport(
            chosen=self.choice.family,
            reason=self.choice.reason,
            split=self.split.report(),
            calibration=self.model.calibration.model_dump(mode="json")["method"],
            profit=self.profit,
            candidates=tuple(candidate.report() for candidate in self.candidates),
            not_trained=self.not_trained,
            forward=self.calibration,
            ages=self.ages,
            left_out=self.left_out,
        )


def train(book: Portfolio, loans: pl.DataFrame, log: Callable[[str], None] = lambda _: None) -> TrainingResult:
    """Train on a book's features.

    Args:
        book: contract and policies.
        loans: the contract's key, event date (if it has one), `target` (1, 0, null), and features as
            `FeatureSet.compute` gives them. The order of the rows does not matter.
        log: takes messages about progress.

    Raises:
        SplitError: the loans cannot be split as the policy says.
    """
    from sklearn.exceptions import ConvergenceWarning  # pyright: ignore[reportMissingTypeStubs]
    from threadpoolctl import threadpool_limits  # pyright: ignore[reportMissingTypeStubs]

    # Both settings hold for the whole process, so they are set once around all parallel fits. More BLAS threads give
    # other last bits. The network's epochs are fixed, so its warning about convergence is expected.
    with threadpool_limits(1, user_api="blas"), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return _train(book, loans, log)


def _train(book: Portfolio, loans: pl.DataFrame, log: Callable[[str], None]) -> TrainingResult:
    policy = book.training
    data = TrainingData.prepare(book, loans)
    log(f"split: {', '.join(f'{name} {part.rows:,}' for name, part in data.split.parts.items())} loans")
    for sentence in data.split.report().unlike:
        log(f"{sentence}. {OPEN_LOANS_ADVICE[book.split.kind]}")
    for name, sentence in data.left_out.items():
        log(f"feature {name}: {sentence}")
    ineligible = _ineligible_families(policy.families, data.context)
    for name, reason in ineligible.items():
        log(f"{name}: not trained: {reason}")
    folds = tuning_folds(data.split, data.matrix, data.target, policy.tuning_rows)
    tuned = _tune(book, data, folds, [name for name in policy.families if name not in ineligible], log)
    scores = {name: FoldScores(found.margins, found.aucs) for name, found in tuned.items()}
    targets = tuple(fold.target for fold in folds)
    choice = choose(scores, targets, policy.min_auc_gain_over_scorecard, policy.seed)
    log(f"choice: {choice.reason}")
    fitted = fit_calibrated(book, data, {name: found.params for name, found in tuned.items()}, log)
    models = {name: one.model for name, one in fitted.items()}
    probability = {name: predict_test_set(model, data) for name, model in models.items()}
    return TrainingResult(
        model=models[choice.family],
        not_trained=ineligible,
        left_out=data.left_out,
        profit=fitted[choice.family].profit,
        calibration_loans=fitted[choice.family].window,
        choice=choice,
        candidates=tuple(
            _candidate(name, models[name], tuned[name], choice, evaluate(data.test_target, probability[name]))
            for name in tuned
        ),
        split=data.split,
        calibration=fitted[choice.family].chosen,
        ages=_ages(data, folds, tuned[choice.family]),
        test_predictions=_test_frame(book, loans, data.split, probability),
    )


def _ineligible_families(families: Sequence[str], context: FitContext) -> dict[str, str]:
    """Families that cannot be chosen, and why; they are neither tuned nor fitted."""
    if not any(context.monotone):
        return {}
    return {name: KEEPS_NO_DIRECTIONS for name in families if name in NON_MONOTONE_FAMILIES}


def _tune(
    book: Portfolio, data: TrainingData, folds: tuple[Fold, ...], families: Sequence[str], log: Callable[[str], None]
) -> dict[str, Tuned]:
    trials = book.training.trials
    tuned = {
        name: tune(FITTED[name], folds, data.context, trials, lambda text, name=name: log(f"{name}: {text}"))
        for name in families
        if name != BLEND
    }
    if BLEND in families:
        tuned[BLEND] = _blend_of(tuned["scorecard"], tuned["gradient_boosting"], folds)
    return tuned


def _blend_of(scorecard: Tuned, boosting: Tuned, folds: tuple[Fold, ...]) -> Tuned:
    """The blend has no parameters: its margins on the folds are the mean of its parts."""
    margins = tuple(blended(a, b) for a, b in zip(scorecard.margins, boosting.margins, strict=True))
    aucs = tuple(auc(fold.target, margin) for fold, margin in zip(folds, margins, strict=True))
    return Tuned(params={}, margins=margins, aucs=aucs, trials=0, pruned=0, seconds=0.0)


def _ages(data: TrainingData, folds: tuple[Fold, ...], tuned: Tuned) -> tuple[AgeReport, ...]:
    if (months := data.months) is None:
        return ()
    at, targets = zip(*((months[fold.validation], fold.target) for fold in folds), strict=True)
    return tuple(auc_by_age(at, targets, tuned.margins))


def _candidate(name: str, model: ScoringModel, tuned: Tuned, choice: Choice, test: Metrics) -> Candidate:
    return Candidate(
        family=name,
        model=model,
        params=tuned.params,
        fold_aucs=tuned.aucs,
        gain=choice.gains.get(name),
        trials=tuned.trials,
        pruned=tuned.pruned,
        seconds=tuned.seconds,
        test=test,
    )


def _test_frame(book: Portfolio, loans: pl.DataFrame, split: LoanSplit, probability: dict[str, Floats]) -> pl.DataFrame:
    about = [name for name in (book.contract.entity_key, book.contract.event_date, TARGET) if name]
    rows = loans.select(about)[split.test]
    return rows.with_columns(pl.Series("row", split.test), *(pl.Series(n, p) for n, p in probability.items()))

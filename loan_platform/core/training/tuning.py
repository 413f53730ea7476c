"""Tuning on the folds: Optuna's seeded search. A trial below the median of a fold is pruned."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from loan_platform.core.evaluation.metrics import auc
from loan_platform.core.models.base import Family, FitContext, Floats, Matrix, Sample, margins
from loan_platform.core.training.parallel_fits import fit_each
from loan_platform.core.training.splits import LoanSplit, Rows

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True)
class Fold:
    """Loans to fit on, and loans to validate on, with their positions in the training window."""

    train: Sample
    matrix: Matrix
    target: Floats
    validation: Rows


@dataclass(frozen=True)
class Tuned:
    """The best parameters of a family, with margins and AUC on each fold's validation loans."""

    params: dict[str, Any]
    margins: tuple[Floats, ...]
    aucs: tuple[float, ...]
    trials: int
    pruned: int
    seconds: float


def tuning_folds(split: LoanSplit, matrix: Matrix, target: Floats, rows: int) -> tuple[Fold, ...]:
    """The folds of a split, with at most about `rows` loans of the training window.

    Args:
        split: row numbers of the loans.
        matrix: of the loans of `split.training`, then of `split.test`.
        target: of the same loans; 1 default, 0 repaid.
        rows: every k-th default and every k-th repaid loan is taken, so the vintages and the base rate stay the same.
    """
    position = np.empty(split.rows, np.int64)
    position[split.training] = np.arange(len(split.training))
    chosen = _every_kth(target[: len(split.training)], rows)

    def pick(loans: Rows) -> Rows:
        at = position[loans]
        return at[chosen[at]]

    return tuple(
        Fold(Sample(matrix[t], target[t]), matrix[v], target[v], v)
        for t, v in ((pick(train), pick(validation)) for train, validation in split.folds)
    )


def tune(
    family: Family, folds: tuple[Fold, ...], context: FitContext, trials: int, log: Callable[[str], None]
) -> Tuned:
    """Find the parameters with the highest mean AUC over the folds. The family's defaults are the first trial."""
    search = _Search(family, folds, context)
    start = perf_counter()
    if (budget := min(trials, family.max_trials)) > 1:
        search.run(budget)
    else:
        search.try_defaults()
    tuned = search.best(perf_counter() - start)
    count = f"{tuned.trials} trials, {tuned.pruned} pruned"
    log(f"mean AUC {np.mean(tuned.aucs):.4f} on the folds, {count}, {tuned.seconds:.1f} s")
    return tuned


class _Search:
    def __init__(self, family: Family, folds: tuple[Fold, ...], context: FitContext) -> None:
        self.family, self.folds, self.context = family, folds, context
        self.found: tuple[dict[str, Any], list[Floats], list[float]] | None = None
        self.trials = self.pruned = 0

    def run(self, trials: int) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study(
            direction="maximize",
            sampler=optuna.samplers.TPESampler(seed=self.context.seed, n_startup_trials=max(trials // 2, 3)),
            pruner=optuna.pruners.MedianPruner(n_startup_trials=3),
        )
        study.enqueue_trial(self.family.suggest(None))
        study.optimize(self._objective, n_trials=trials)

    def try_defaults(self) -> None:
        self._evaluate(self.family.suggest(None), None)

    def best(self, seconds: float) -> Tuned:
        if self.found is None:
            raise RuntimeError("no trial was completed")
        params, fold_margins, aucs = self.found
        return Tuned(params, tuple(fold_margins), tuple(aucs), self.trials, self.pruned, seconds)

    def _objective(self, trial: "optuna.Trial") -> float:
        return self._evaluate(self.family.suggest(trial), trial)

    def _evaluate(self, params: dict[str, Any], trial: "optuna.Trial | None") -> float:
        self.trials += 1
        fold_margins: list[Floats] = []
        aucs: list[float] = []
        samples, no_pruning = [fold.train for fold in self.folds], trial is None
        with closing(fit_each(self.family, samples, self.context, params, all_wanted=no_pruning)) as models:
            for step, (fold, model) in enumerate(zip(self.folds, models, strict=True)):
                fold_margins.append(margins(model, fold.matrix, self.context.threads))
                aucs.append(auc(fold.target, fold_margins[-1]))
                if trial is not None and step + 1 < len(self.folds):
                    self._prune(trial, step, aucs[-1])
        if self.found is None or np.mean(aucs) > np.mean(self.found[2]):
            self.found = params, fold_margins, aucs
        return float(np.mean(aucs))

    def _prune(self, trial: "optuna.Trial", step: int, area: float) -> None:
        import optuna

        trial.report(area, step)
        if trial.should_prune():
            self.pruned += 1
            raise optuna.TrialPruned


def _every_kth(target: Floats, rows: int) -> NDArray[np.bool_]:
    step = -(-len(target) // rows)
    chosen = np.zeros(len(target), bool)
    for outcome in (0, 1):
        chosen[np.flatnonzero(target == outcome)[::step]] = True
    return chosen

"""Fits each candidate on the training window and calibrates it on the end of that window."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from time import perf_counter
from typing import Any, Self, cast

import numpy as np
import polars as pl

from loan_platform.core.book.constants import EXPOSURE, TARGET
from loan_platform.core.book.contract import Contract
from loan_platform.core.book.parts.features import Feature
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.evaluation.forward_report import CalibrationReport
from loan_platform.core.features.design_matrix import Design
from loan_platform.core.features.left_out import left_out
from loan_platform.core.features.rare_states import Development
from loan_platform.core.models.base import FitContext, FittedModel, Floats, Matrix, Sample, margins
from loan_platform.core.models.blend import blend, blended
from loan_platform.core.models.families import BLEND, FITTED, NOT_LOG_ODDS
from loan_platform.core.models.portable import sigmoid
from loan_platform.core.models.scorecard import ScorecardModel
from loan_platform.core.models.trees import TreeModel
from loan_platform.core.scoring.decisions import AnswerPolicy, ProfitCurve, decision_rule, profit_curve
from loan_platform.core.scoring.scoring_model import ScoringModel, reduced_contract
from loan_platform.core.training.crosswise import Months, crosswise_loans
from loan_platform.core.training.forward_calibration import Unseen, choose_calibration, month_numbers
from loan_platform.core.training.open_loans import open_windows
from loan_platform.core.training.parallel_fits import fit_each
from loan_platform.core.training.splits import LoanSplit, Rows, split_loans

HALF_ROWS = 200_000  # calibration needs a model similar to the final one, not one as precise
DIRECTIONS = {"increasing": 1, "decreasing": -1, None: 0}


@dataclass(frozen=True)
class TrainingData:
    """The loans as arrays in the order fit, calibration, test. So each part is a slice, not a copy.

    `months` and `crosswise` are of the training loans: see `crosswise_loans`.
    `left_out` has a sentence for each feature that the design leaves out, or some levels of it.
    """

    split: LoanSplit
    design: Design
    left_out: dict[str, str]
    contract: Contract
    context: FitContext
    matrix: Matrix
    target: Floats
    exposure: Floats
    months: Months | None
    crosswise: Rows

    @classmethod
    def prepare(cls, book: Portfolio, loans: pl.DataFrame) -> Self:
        """Split the loans of a features frame and build the matrix. The design is learned without the test set."""
        contract, policy = book.contract, book.training
        date = loans[contract.event_date] if contract.event_date else None
        kind = loans[book.split.mature_by] if book.split.mature_by else None
        split = split_loans(loans[contract.entity_key], loans[TARGET], date, book.split, kind)
        features = contract.features_for(policy.use_pricing)
        split = replace(split, open_windows=open_windows(split, loans, features))
        outcomes = loans[TARGET].gather(split.training).cast(pl.Float64).to_numpy()
        development = Development(outcomes, policy.min_state_rows, policy.min_state_defaults)
        design = Design.learn(features, loans, split.training, development)
        order = np.concatenate((split.training, split.test))
        dated = date is not None and book.split.kind == "out_of_time"
        months = month_numbers(date[split.training].to_numpy()) if date is not None and dated else None
        target = loans[TARGET].gather(order).cast(pl.Float64).to_numpy()
        return cls(
            split=split,
            design=design,
            left_out=left_out(design, features, loans, split.training),
            contract=reduced_contract(contract, design),
            context=FitContext(design.names, _directions(design, features), policy.seed, policy.threads),
            matrix=design.matrix(loans, order),
            target=target,
            exposure=_exposure(contract, loans).gather(order).to_numpy(),
            months=months,
            crosswise=crosswise_loans(split, target[: len(split.training)], months),
        )

    @cached_property
    def crosswise_samples(self) -> tuple[Sample, Sample, Sample]:
        """The whole training window, and the window without each half of the crosswise loans."""
        end = len(self.split.training)
        return Sample(self.matrix[:end], self.target[:end]), self._without_half(0), self._without_half(1)

    def _without_half(self, half: int) -> Sample:
        """The training window without one half (0 or 1) of the crosswise loans; at most 200,000 loans."""
        wanted = np.ones(len(self.split.training), bool)
        wanted[self.crosswise[half::2]] = False
        kept = np.flatnonzero(wanted)
        kept = kept[:: -(-len(kept) // HALF_ROWS)]
        return Sample(self.matrix[kept], self.target[kept])

    def unseen(self, margin: Floats) -> Unseen:
        """The crosswise loans with their margins."""
        months = None if self.months is None else self.months[self.crosswise]
        return Unseen(margin, self.target[self.crosswise], months)

    @property
    def calibration_target(self) -> Floats:
        """Outcomes of the calibration window, the end of the training window."""
        return self.target[len(self.split.fit) : len(self.split.training)]

    @property
    def calibration_exposure(self) -> Floats:
        """Exposure of the loans of the calibration window."""
        return self.exposure[len(self.split.fit) : len(self.split.training)]

    @property
    def test_target(self) -> Floats:
        """Outcomes of the test set."""
        return self.target[len(self.split.training) :]


@dataclass(frozen=True)
class Calibrated:
    """A calibrated model, the profit curve of the calibration window, and how the calibration was chosen.

    `window` has `probability`, `target` and `exposure` of the loans of that window.
    """

    model: ScoringModel
    profit: ProfitCurve
    window: pl.DataFrame
    chosen: CalibrationReport


def fit_calibrated(
    book: Portfolio, data: TrainingData, params: dict[str, dict[str, Any]], log: Callable[[str], None]
) -> dict[str, Calibrated]:
    """Fit and calibrate each family of `params`.

    A family is calibrated on loans that its model has not seen. Two models are fitted on the training window without
    one half each of the crosswise loans (every other one), and each gives the margins of that half. The final model is
    fitted on the whole training window (decision 7).
    """
    fitted: dict[str, FittedModel] = {}
    unseen: dict[str, Floats] = {}
    for name, chosen in params.items():
        start = perf_counter()
        if name == BLEND:
            parts = (cast(ScorecardModel, fitted["scorecard"]), cast(TreeModel, fitted["gradient_boosting"]))
            fitted[name] = blend(*parts)
            unseen[name] = blended(unseen["scorecard"], unseen["gradient_boosting"])
        else:
            fitted[name], unseen[name] = fit_crosswise(name, data, chosen)
        log(f"{name}: fitted in {perf_counter() - start:.1f} s")
    return {name: _calibrated(book, data, name, model, unseen[name]) for name, model in fitted.items()}


def _calibrated(book: Portfolio, data: TrainingData, name: str, model: FittedModel, margin: Floats) -> Calibrated:
    chosen = choose_calibration(data.unseen(margin), book.split.calibration_months, name not in NOT_LOG_ODDS)
    target = data.calibration_target
    probability = sigmoid(chosen.calibration.log_odds(margin[-len(target) :]))
    profit = profit_curve(probability, target, data.calibration_exposure, book.decision)
    scoring = ScoringModel(
        contract=data.contract,
        design=data.design,
        model=model,
        calibration=chosen.calibration,
        policy=AnswerPolicy(scorecard=book.scorecard, decision=decision_rule(book.decision, profit)),
        threads=book.training.threads,
    )
    window = pl.DataFrame({"probability": probability, TARGET: target, EXPOSURE: data.calibration_exposure})
    return Calibrated(scoring, profit, window, chosen.report)


def _exposure(contract: Contract, loans: pl.DataFrame) -> pl.Series:
    return loans[EXPOSURE] if contract.exposure else pl.repeat(1.0, loans.height, eager=True)


def predict_test_set(model: ScoringModel, data: TrainingData) -> Floats:
    """Probability of default of the test loans, shape [test loans]. The bits are those of `ScoringModel.score`."""
    test = data.matrix[len(data.split.training) :]
    return sigmoid(model.calibration.log_odds(margins(model.model, test, data.context.threads)))


def fit_crosswise(name: str, data: TrainingData, params: dict[str, Any]) -> tuple[FittedModel, Floats]:
    """The final model, and margins of the crosswise loans from models that have not seen them."""
    whole, *halves = fit_each(FITTED[name], data.crosswise_samples, data.context, params)
    unseen = np.empty(len(data.crosswise))
    for half, model in enumerate(halves):
        unseen[half::2] = margins(model, data.matrix[data.crosswise[half::2]], data.context.threads)
    return whole, unseen


def _directions(design: Design, features: tuple[Feature, ...]) -> tuple[int, ...]:
    monotone = {feature.name: feature.monotone for feature in features}
    return tuple(DIRECTIONS[monotone[column.feature]] for column in design.columns)

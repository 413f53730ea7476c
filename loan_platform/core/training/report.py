"""How a model was trained and chosen, as a report."""

from pydantic import Field, JsonValue

from loan_platform.core.evaluation.bootstrap import Interval
from loan_platform.core.evaluation.evaluation_report import SplitReport
from loan_platform.core.evaluation.forward_report import AgeReport, CalibrationReport
from loan_platform.core.evaluation.metrics import Metrics
from loan_platform.core.report import Report
from loan_platform.core.scoring.decisions import ProfitCurve


class TrainedCandidate(Report):
    """One model family after tuning, fitting and calibration.

    Attributes:
        params: hyperparameters that tuning chose.
        fold_aucs: AUC on each fold, with their mean `mean_auc`.
        gain: mean AUC minus the scorecard's; None for the scorecard.
        test: metrics on the test set, for information.
    """

    family: str
    params: dict[str, JsonValue]
    fold_aucs: tuple[float, ...]
    mean_auc: float
    gain: Interval | None
    trials: int
    pruned: int
    test: Metrics


class TrainingReport(Report):
    """The chosen family with the reason, the split, the profit curve, and every candidate.

    `not_trained` has the reason for each family that cannot be chosen. `forward` and `ages` are None and empty in
    reports of an earlier version.
    `left_out` has a sentence for each feature that the model does not read, or of which it learned some levels only
    together.
    """

    chosen: str
    reason: str
    split: SplitReport
    calibration: str
    profit: ProfitCurve
    candidates: tuple[TrainedCandidate, ...]
    not_trained: dict[str, str] = Field(default_factory=dict)
    forward: CalibrationReport | None = None
    ages: tuple[AgeReport, ...] = ()
    left_out: dict[str, str] = Field(default_factory=dict)

"""The result of an evaluation, as a report: what promotion, model card and registry read."""

from datetime import date

from pydantic import Field

from loan_platform.core.evaluation.bootstrap import Interval
from loan_platform.core.evaluation.forward_report import AgeReport, CalibrationReport
from loan_platform.core.evaluation.metrics import Metrics
from loan_platform.core.evaluation.promotion_report import RuleReport
from loan_platform.core.report import Report

MOST_UNLIKE = 4  # features that a sentence names
BLOCKING_RULES = ("auc_above_chance", "auc_floor", "beats_base_rate")  # the ceilings are `leak_alarms`


class PartReport(Report):
    """Loans of one part of the split, with the first and last vintage where there are any."""

    rows: int
    defaults: int
    default_rate: float
    first: date | None
    last: date | None


class OpenWindowReport(Report):
    """Loans of one part of the split against loans of the same months whose outcome is open.

    `unlike` has the features in which the two differ: the share of pairs of an open loan and a known one in which the
    open one has the higher value. For a level of a category (`region: north`) it is 0.5 plus half of the difference of
    its shares. 0.5 is no difference. The greatest difference is first.
    """

    part: str
    known: int
    open_loans: int
    unlike: dict[str, float]

    @property
    def sentence(self) -> str:
        """How the open loans differ; empty if they do not."""
        if not self.unlike:
            return ""
        shown = [f"{name} ({area:.2f})" for name, area in list(self.unlike.items())[:MOST_UNLIKE]]
        more = len(self.unlike) - len(shown)
        return (
            f"{self.part}: the {self.open_loans:,} open loans of its months are not like the {self.known:,} known ones "
            f"by {', '.join(shown)}{f' and {more} more' if more else ''}, where 0.50 is alike"
        )


class SplitReport(Report):
    """Loans of each part of the split, and those left out: `immature_by_month` has the known loans of each month.

    `open_windows` compares the parts with the open loans of their months; empty in reports of an earlier version.
    """

    rows: int
    unknown_outcome: int
    immature: int
    immature_by_month: dict[str, int] = Field(default_factory=dict)
    fit: PartReport
    calibration: PartReport
    test: PartReport
    open_windows: tuple[OpenWindowReport, ...] = ()

    @property
    def unlike(self) -> tuple[str, ...]:
        """A sentence for each part whose open loans are not like its known ones."""
        return tuple(window.sentence for window in self.open_windows if window.unlike)

    @property
    def parts(self) -> dict[str, PartReport]:
        """The parts by name, in order of time."""
        return {"fit": self.fit, "calibration": self.calibration, "test": self.test}


class CandidateReport(Report):
    """One model family: its AUC on the folds, which decided, and its metrics on the test set, for information.

    `gain` is its AUC on the folds minus the scorecard's; None for the scorecard.
    """

    family: str
    fold_auc: float
    gain: Interval | None
    auc: float
    auc_low: float
    auc_high: float
    ks: float
    ece: float
    brier: float


class DecisionReport(Report):
    """Loans of the test set with one decision."""

    share: float
    default_rate: float
    mean_probability: float


class LiftReport(Report):
    """One tenth of the test set; decile 1 is the riskiest."""

    decile: int
    rows: int
    observed: float
    lift: float
    captured: float


class VintageReport(Report):
    """One month of issue, such as `2018-07`; `auc` and `ece` are None where all outcomes are the same."""

    vintage: str
    rows: int
    observed: float
    predicted: float
    auc: float | None
    ece: float | None


class ApprovedReport(Report):
    """Test loans that the model's policy approves, and its Gini on them; None where all outcomes are the same."""

    rows: int
    defaults: int
    gini: Interval | None


class Evaluation(Report):
    """A trained model on the test set.

    Attributes:
        sha256: of the model's bundle.
        chosen: family of the model.
        choice: why it was chosen.
        test: metrics on the test set, with their 95 % `intervals` by name.
        candidates: all families that were trained.
        not_trained: the reason for each family that cannot be chosen.
        left_out: a sentence for each feature that the model does not read, or of which it learned some levels together.
        strongest_feature: the feature with the highest AUC alone, by the lower end of its interval.
        leak_alarms: one sentence for each AUC above its ceiling, and for each other feature that shows a leak.
        ceiling_reason: why the policy has a ceiling above the usual one; None where it has none.
        accepted_signs: the reason for each feature that shows a sign of a leak and is accepted.
        rules: the results of the rules that hold without a champion.
        calibration: how the calibration was chosen, with its error by origin; None in reports of an earlier version.
        ages: AUC by months ahead, before the test set; empty without dates.
        decisions: test loans by decision.
        approved: those approved, the reference of `core.performance`; None in reports of an earlier version.
    """

    sha256: str
    chosen: str
    choice: str
    split: SplitReport
    test: Metrics
    intervals: dict[str, Interval]
    candidates: tuple[CandidateReport, ...]
    not_trained: dict[str, str] = Field(default_factory=dict)
    left_out: dict[str, str] = Field(default_factory=dict)
    strongest_feature: str
    strongest_feature_auc: float
    strongest_feature_interval: Interval | None = None
    leak_alarms: tuple[str, ...]
    ceiling_reason: str | None = None
    accepted_signs: dict[str, str] = Field(default_factory=dict)
    rules: tuple[RuleReport, ...] = ()
    calibration: CalibrationReport | None = None
    ages: tuple[AgeReport, ...] = ()
    decisions: dict[str, DecisionReport]
    approved: ApprovedReport | None = None
    lift: tuple[LiftReport, ...]
    vintages: tuple[VintageReport, ...]

    @property
    def refusals(self) -> tuple[str, ...]:
        """Why the model may not become a version, as sentences; empty where it may."""
        failed = (rule.sentence for rule in self.rules if rule.rule in BLOCKING_RULES and not rule.passed)
        return (*self.leak_alarms, *failed)

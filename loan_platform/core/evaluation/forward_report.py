"""What is known before the test set of how calibration and ranking hold on later months, as reports."""

from pydantic import Field

from loan_platform.core.evaluation.bootstrap import Interval
from loan_platform.core.report import Report


class OriginReport(Report):
    """The months `first` to `last`, such as `2010-07`, by a calibration that was fitted on earlier months.

    `rate_ratio` is the default rate over the mean probability, with its exact 95 % interval. `method` is that of this
    row; empty in a report of an earlier version.
    """

    first: str
    last: str
    rows: int
    defaults: int
    mean_probability: float
    rate_ratio: Interval
    ece: float
    method: str = ""

    @property
    def observed(self) -> float:
        """Default rate."""
        return self.defaults / self.rows


class CalibrationReport(Report):
    """How the calibration was chosen.

    Attributes:
        method: of the map.
        months: the newest months that it was fitted on; None: all loans with margins of an unseen model.
        loans: that it was fitted on.
        errors: mean ECE of each candidate over the origins (without dates, over the parts of a cross-validation).
        origins: the chosen candidate by origin; empty without dates.
    """

    method: str
    months: int | None
    loans: int
    errors: dict[str, float] = Field(default_factory=dict)
    origins: tuple[OriginReport, ...] = ()


class AgeReport(Report):
    """AUC on the loans issued `first` to `last` months after the training months of `folds` fold models."""

    first: int
    last: int
    rows: int
    folds: int
    auc: float

"""Evaluation reports without an evaluation."""

from loan_platform.core.evaluation.evaluation_report import ApprovedReport, Evaluation, PartReport, SplitReport
from loan_platform.core.evaluation.metrics import Metrics


def evaluation(gini: float, sha256: str = "0" * 64) -> Evaluation:
    """The report of a model with this Gini on 1,000 test loans."""
    part = PartReport(rows=1_000, defaults=100, default_rate=0.1, first=None, last=None)
    return Evaluation(
        sha256=sha256,
        chosen="scorecard",
        choice="scorecard is the only candidate.",
        split=SplitReport(rows=3_000, unknown_outcome=0, immature=0, fit=part, calibration=part, test=part),
        test=Metrics(
            rows=1_000,
            defaults=100,
            base_rate=0.1,
            mean_probability=0.1,
            auc=(gini + 1) / 2,
            gini=gini,
            ks=0.1,
            brier=0.08,
            brier_base=0.09,
            log_loss=0.3,
            ece=0.01,
        ),
        intervals={},
        candidates=(),
        strongest_feature="income",
        strongest_feature_auc=0.55,
        leak_alarms=(),
        decisions={},
        approved=ApprovedReport(rows=900, defaults=70, gini=None),
        lift=(),
        vintages=(),
    )

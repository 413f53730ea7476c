"""A stored model on its test set, as a report."""

from typing import Any

import polars as pl

from loan_platform.adapters.storage.model_store import StoredModel
from loan_platform.core.book.constants import TARGET
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.evaluation.evaluation_report import (
    ApprovedReport,
    CandidateReport,
    DecisionReport,
    Evaluation,
    LiftReport,
    VintageReport,
)
from loan_platform.core.evaluation.gates.absolute_rules import absolute_rules, challenger_of
from loan_platform.core.evaluation.intervals import auc_interval, intervals
from loan_platform.core.evaluation.leaks import (
    leak_alarms,
    order_groups,
    places,
    sign_alarms,
    single_feature_auc,
    strongest,
)
from loan_platform.core.evaluation.metrics import by_vintage, evaluate, lift_by_decile
from loan_platform.core.evaluation.policy_effect import approved_loans
from loan_platform.core.evaluation.promotion_report import RuleReport
from loan_platform.core.scoring.decisions import decision_table
from loan_platform.core.training.report import TrainedCandidate


def evaluate_model(book: Portfolio, model: StoredModel) -> Evaluation:
    """Metrics, leak alarms, decisions and lift of a model on its test set; the same model gives the same report."""
    training, predictions = model.training(), model.frame("test_predictions")
    target, probability = predictions[TARGET].to_numpy(), predictions[training.chosen].to_numpy()
    scoring = model.bundle().model
    rows = model.frame("test_rows")
    features = scoring.features(rows).select(scoring.design.features)
    alone = single_feature_auc(features, target)
    best, policy = strongest(alone), book.promotion
    evidence = challenger_of(model.sha256, target, probability, alone[best], best)
    alarms = leak_alarms(evidence.auc, alone, policy.auc_ceiling, policy.feature_auc_ceiling)
    told = [str(alarm) for alarm in alarms]
    unknown = features.drop([alarm.feature for alarm in alarms if alarm.feature is not None])
    groups = order_groups(rows, book.contract.event_date)
    signs = sign_alarms(unknown, target, policy.feature_auc_ceiling, places(rows), groups)
    accepted = policy.explained_signs
    told += [str(left) for alarm in signs.values() if (left := alarm.unless_accepted(accepted)) is not None]
    decisions = decision_table(scoring.decisions(features, probability), target, probability)
    return Evaluation(
        sha256=model.sha256,
        chosen=training.chosen,
        choice=training.reason,
        split=training.split,
        test=evaluate(target, probability),
        intervals=intervals(target, probability),
        candidates=tuple(_candidate(predictions, candidate) for candidate in training.candidates),
        not_trained=training.not_trained,
        left_out=training.left_out,
        strongest_feature=best,
        strongest_feature_auc=alone[best].estimate,
        strongest_feature_interval=alone[best],
        leak_alarms=tuple(told),
        ceiling_reason=policy.reason if policy.raised and policy.is_explained else None,
        accepted_signs={name: why for name, why in accepted.items() if name in signs},
        rules=tuple(RuleReport.of(result) for result in absolute_rules(policy, evidence)),
        calibration=training.forward,
        ages=training.ages,
        decisions={name: DecisionReport(**row) for name, row in decisions.items()},
        approved=approved_of(model),
        lift=tuple(LiftReport(**row) for row in lift_by_decile(target, probability).to_dicts()),
        vintages=_vintages(book, predictions, probability),
    )


def approved_of(model: StoredModel) -> ApprovedReport:
    """The test loans that a stored model approves. One that it refers for a missing value is not approved."""
    predictions = model.frame("test_predictions")
    target, probability = predictions[TARGET].to_numpy(), predictions[model.training().chosen].to_numpy()
    scoring = model.bundle().model
    decisions = scoring.decisions(scoring.features(model.frame("test_rows")), probability)
    return approved_loans(decisions, target, probability)


def _candidate(predictions: pl.DataFrame, candidate: TrainedCandidate) -> CandidateReport:
    target, probability = predictions[TARGET].to_numpy(), predictions[candidate.family].to_numpy()
    test, area = evaluate(target, probability), auc_interval(target, probability)
    return CandidateReport(
        family=candidate.family,
        fold_auc=candidate.mean_auc,
        gain=candidate.gain,
        auc=test.auc,
        auc_low=area.low,
        auc_high=area.high,
        ks=test.ks,
        ece=test.ece,
        brier=test.brier,
    )


def _vintages(book: Portfolio, predictions: pl.DataFrame, probability: Any) -> tuple[VintageReport, ...]:
    date = book.contract.event_date
    if date is None:
        return ()
    months = by_vintage(predictions[date], predictions[TARGET].to_numpy(), probability)
    rows = months.with_columns(pl.col(pl.Date).dt.to_string("%Y-%m")).to_dicts()
    return tuple(VintageReport(**row) for row in rows)

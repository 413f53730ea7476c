"""The predictor: answers a frame, a few rows, or one application with one model."""

from collections.abc import Sequence

import polars as pl

from loan_platform.core.models.portable import sigmoid
from loan_platform.core.scoring.answer import MAX_REASONS, REASONS, Answer, as_text
from loan_platform.core.scoring.decisions import DECLINED, REFERRED
from loan_platform.core.scoring.reasons import Explainer, align_lists
from loan_platform.core.scoring.scoring_model import ScoringModel, points

CHUNK_ROWS = 131_072  # rows whose features are in memory at the same time


class Predictor:
    """Answers applications with one model. Make it once per model; threads may share it."""

    def __init__(self, model: ScoringModel) -> None:
        self.model = model
        self.explainer = Explainer(model)

    def predict_frame(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Answer each row of typed columns.

        Returns:
            A frame of `ANSWER_SCHEMA`, one row per input row. Only declined applications have reasons, and those
            that a feature refers to a person (`when_missing`): that feature.

        Raises:
            FeatureError: a column holds another type than the contract says.
        """
        if frame.height > CHUNK_ROWS:
            chunks = [frame.slice(start, CHUNK_ROWS) for start in range(0, frame.height, CHUNK_ROWS)]
            return pl.concat([self.predict_frame(chunk) for chunk in chunks], rechunk=True)
        scored = self.model.score(frame)
        declined = (scored["decision"] == DECLINED).arg_true()
        reasons = self.explainer.column(self.model.features(frame[declined]))
        if self.model.referring:
            at, why = self._referred(frame, scored["decision"] == REFERRED)
            declined, reasons = pl.concat([declined, at]), pl.concat([reasons, why])
        return scored.with_columns(align_lists(declined, reasons, frame.height))

    def _referred(self, frame: pl.DataFrame, candidates: pl.Series) -> tuple[pl.Series, pl.Series]:
        """Number and reasons of each row that a feature refers."""
        at = candidates.arg_true()
        found = self.explainer.referrals(self.model.features(frame[at]))
        lists = [[reason._asdict() | {"value": as_text(reason.value)} for reason in row] for row in found]
        return at, pl.Series("reasons", lists, REASONS)

    def predict_one(self, row: pl.DataFrame, explain: bool = False) -> Answer:
        """Answer one row of typed columns, with the bits of `predict_frame`.

        Args:
            row: a frame of one row.
            explain: give reasons for any decision.

        Raises:
            BrokenRulesError: the row breaks critical row rules of the contract.
        """
        return self.predict_rows(row, [explain])[0]

    def predict_rows(self, frame: pl.DataFrame, explain: Sequence[bool]) -> list[Answer]:
        """Answer a few rows as `predict_one` does; cheaper than `predict_frame`, which prepares columns for many.

        Args:
            frame: rows of typed columns.
            explain: for each row, whether it gets reasons for any decision.

        Raises:
            BrokenRulesError: rows break critical row rules of the contract; none is answered.
        """
        return self.answer(self.model.checked_features(frame), explain)

    def answer(self, features: pl.DataFrame, explain: Sequence[bool]) -> list[Answer]:
        """As `predict_rows`, for features that are computed already. The row rules are not checked."""
        policy = self.model.policy
        matrix = self.model.design.matrix(features)
        margin = self.model.model.margin(matrix)
        log_odds, rule = self.model.calibration.log_odds(margin), policy.decision
        probabilities: list[float] = sigmoid(log_odds).tolist()
        scores: list[float] = points(log_odds, policy.scorecard).tolist()
        decisions = [rule.decision(probability) for probability in probabilities]
        explained_rows = [i for i, decision in enumerate(decisions) if explain[i] or decision == DECLINED]
        explained = features if len(explained_rows) == features.height else features[explained_rows]
        known = matrix[explained_rows], margin[explained_rows]
        found = self.explainer.reasons(explained, known=known) if explained_rows else []
        reasons = dict(zip(explained_rows, found, strict=True))
        if self.model.referring:
            for i, referrals in enumerate(self.explainer.referrals(features)):
                if referrals:
                    decisions[i] = REFERRED
                    own = reasons.get(i, ()) if explain[i] else ()
                    named = {reason.code for reason in referrals}
                    others = tuple(reason for reason in own if reason.code not in named)
                    reasons[i] = (*referrals, *others)[:MAX_REASONS]
        stakes = self.model.exposure(features).to_list()
        return [
            Answer(
                probability=probability,
                score=scores[i],
                risk=rule.risk(probability),
                decision=decisions[i],
                expected_loss=None if stakes[i] is None else probability * rule.loss_given_default * stakes[i],
                reasons=reasons.get(i, ()),
            )
            for i, probability in enumerate(probabilities)
        ]

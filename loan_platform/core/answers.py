"""What a model answers to applications: its score, the decision, and why it declined."""

from typing import Any

import polars as pl

from loan_platform.core.decisions import DECISIONS
from loan_platform.core.reasons import Explainer, Reason
from loan_platform.core.scoring import ScoringModel

DECLINED = DECISIONS[-1]
REASONS = pl.List(pl.Struct({"code": pl.String, "text": pl.String, "value": pl.String, "points": pl.Float64}))


class Answers:
    """The answers of one model; made once for it, safe to share among threads."""

    def __init__(self, model: ScoringModel) -> None:
        self.model = model
        self.explainer = Explainer(model)

    def of(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The answer to each row of typed columns.

        Returns:
            The columns of `ScoringModel.score` and `reasons`, the principal ones first: code, text, the feature's value
            as text and the points that it cost. Only declined applications have some.

        Raises:
            FeatureError: a column holds another type than the contract says.
        """
        scored = self.model.score(frame)
        declined = (scored["decision"] == DECLINED).arg_true()
        told = self.explainer.reasons(self.model.features(frame[declined])) if len(declined) else []
        found: list[list[dict[str, Any]]] = [[] for _ in range(frame.height)]
        for row, reasons in zip(declined.to_list(), told, strict=True):
            found[row] = [_entry(reason) for reason in reasons]
        return scored.with_columns(pl.Series("reasons", found, dtype=REASONS))


def _entry(reason: Reason) -> dict[str, Any]:
    return reason._asdict() | {"value": None if reason.value is None else str(reason.value)}

"""What the promotion policy reads: the newest model on its test loans, and the champion on the same loans."""

from typing import TYPE_CHECKING

import dagster as dg
import polars as pl

from loan_platform.adapters.storage.model_store import ModelStore, StoredModel
from loan_platform.core.book.constants import TARGET
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.evaluation.evaluation_report import Evaluation
from loan_platform.core.evaluation.gates.absolute_rules import Challenger, challenger_of
from loan_platform.core.evaluation.gates.champion_rules import ChampionComparison, compare
from loan_platform.core.evaluation.gates.contract_changes import CONTRACT_MEANING, reason_to_withdraw, was_edited
from loan_platform.core.scoring.bundle import Bundle, trained_sha256
from loan_platform.core.scoring.policy_change import changed_answers
from loan_platform.core.scoring.scoring_model import ScoringModel

if TYPE_CHECKING:  # imports SQLAlchemy
    from loan_platform.adapters.ledger.entries import Champion


def challenger_evidence(evaluation: Evaluation, model: StoredModel) -> Challenger:
    """The newest model on its test loans.

    Raises:
        dagster.Failure: it was not evaluated, or by an earlier release.
    """
    alone = evaluation.strongest_feature_interval
    if evaluation.sha256 != model.sha256 or alone is None:
        raise dg.Failure("the newest model was not evaluated: materialize model_evaluation first")
    found = model.frame("test_predictions")
    target, probability = found[TARGET].to_numpy(), found[evaluation.chosen].to_numpy()
    return challenger_of(model.sha256, target, probability, alone, evaluation.strongest_feature)


def why_withdraw(book: Portfolio, models: ModelStore, champion: "Champion") -> str | None:
    """Why the present contract no longer allows the champion; None where it does."""
    return why_forbidden(book, models.get(champion.model_sha256), "the champion")


def why_forbidden(book: Portfolio, stored: StoredModel, who: str) -> str | None:
    """Why the present contract does not allow a model; None where it does."""
    model = stored.bundle().model
    return reason_to_withdraw(model.contract, model.inputs, book.contract, book.training.use_pricing, who)


def comparison(book: Portfolio, models: ModelStore, model: StoredModel, champion: "Champion") -> ChampionComparison:
    """The champion on the test loans of the newest model."""
    stored = models.get(champion.model_sha256)
    rows, old, new = model.frame("test_rows"), stored.bundle().model, model.bundle().model
    seen = pl.Series(rows[book.contract.entity_key]).is_in(_development_keys(stored).implode())
    return compare(
        trained_sha256(stored.bundle()),  # a policy version of the newest model is that model
        rows[TARGET].to_numpy(),
        new.score(rows)["probability"].to_numpy(),
        old.score(rows)["probability"].to_numpy(),
        seen.to_numpy(),
        other_answers=tuple(_other_answers(old, new)),
        edited=_edited(stored.bundle(), model.bundle()),
        same_model=_same_model(old, new),
    )


def _edited(before: Bundle, after: Bundle) -> bool:
    """Whether the contract was edited; by the contracts in the bundles where an earlier release trained one."""
    meanings = [bundle.meta.get(CONTRACT_MEANING) for bundle in (before, after)]
    return meanings[0] != meanings[1] if all(meanings) else was_edited(before.model.contract, after.model.contract)


def _same_model(old: ScoringModel, new: ScoringModel) -> bool:
    parts = [(one.design, one.model.to_json(), one.calibration) for one in (old, new)]
    return parts[0] == parts[1] and not was_edited(old.contract, new.contract)


def _development_keys(stored: StoredModel) -> pl.Series:
    return stored.frame("development_keys").to_series()


def _other_answers(old: ScoringModel, new: ScoringModel) -> list[str]:
    """What differs in the answers beside the probability."""
    contract = ["the contract"] if old.contract != new.contract else []
    return [*changed_answers(old.policy, new.policy), *contract]

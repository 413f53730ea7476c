"""A feature that refers an application to a person where training did not see enough of its value."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from loan_platform.core.audit.replay import differences
from loan_platform.core.scoring.answer import answer_rows, recorded_answer
from loan_platform.core.scoring.bundle import load_bundle, write_bundle
from loan_platform.core.scoring.decisions import decision_table
from loan_platform.core.scoring.predictor import Predictor
from loan_platform.core.scoring.scoring_model import ScoringModel
from loan_platform_tests.support.small_books.complete_loans import complete, model_of

NAMES = ("inquiries", "purpose")


def _model() -> ScoringModel:
    return model_of("scorecard", **dict.fromkeys(NAMES, "refer"))


def _rows() -> pl.DataFrame:
    """Every third loan without its inquiries, every fifth for an unknown purpose, some without a purpose."""
    row = pl.int_range(pl.len())
    return (
        complete()
        .head(600)
        .with_columns(
            inquiries=pl.when(row % 3 > 0).then("inquiries"),
            purpose=pl.when(row % 5 == 0).then(pl.lit("moon")).when(row % 7 > 0).then("purpose"),
        )
    )


def test_an_application_without_the_value_is_referred():
    model, rows = _model(), _rows()
    answers = Predictor(model).predict_frame(rows)
    plain = model_of("scorecard").score(rows)
    assert answers["probability"].equals(plain["probability"])
    assert answers["score"].equals(plain["score"])
    lacking = {
        "inquiries_not_known": rows["inquiries"].is_null(),
        "purpose_not_known": rows["purpose"].is_null(),
        "purpose": rows["purpose"] == "moon",
    }
    for i, row in enumerate(answers.iter_rows(named=True)):
        wanted = [code for code, mask in lacking.items() if mask[i]]
        if not wanted:
            assert row["decision"] == plain["decision"][i]
            assert bool(row["reasons"]) == (row["decision"] == "decline")
            continue
        assert row["decision"] == "refer"
        assert [reason["code"] for reason in row["reasons"]] == wanted
        assert {reason["points"] for reason in row["reasons"]} == {0.0}
        assert [reason["value"] for reason in row["reasons"]] == ["moon" if c == "purpose" else None for c in wanted]
    assert {"approve", "decline"} <= set(plain.filter(rows["inquiries"].is_null())["decision"])


def test_referred_loans_are_not_counted_as_approved():
    model, rows = _model(), _rows()
    features, answers = model.features(rows), model.score(rows)
    decisions = model.decisions(features, answers["probability"].to_numpy())
    assert decisions.equals(answers["decision"])
    table = decision_table(decisions, np.zeros(rows.height), answers["probability"].to_numpy())
    by_cut_offs = model.policy.decision.decisions(answers["probability"].to_numpy())
    approved, below = (int((found == "approve").sum()) for found in (answers["decision"], by_cut_offs))
    assert table["approve"]["share"] == approved / rows.height
    assert approved < below


def test_batch_one_row_bundle_and_replay_give_the_same_answer(tmp_path: Path):
    model, rows = _model(), _rows().head(120)
    write_bundle(tmp_path / "bundle", model, {}, rows, {})
    predictor = Predictor(load_bundle(tmp_path / "bundle").model)
    batch = Predictor(model).predict_frame(rows).to_dicts()
    few = predictor.predict_rows(rows, [False] * rows.height)
    alone = [predictor.predict_one(row) for row in rows.iter_slices(1)]
    assert answer_rows(few) == answer_rows(alone) == batch
    explained = predictor.predict_one(rows.head(1), explain=True)
    assert [reason.code for reason in explained.reasons[:2]] == ["inquiries_not_known", "purpose"]
    record = json.loads(json.dumps(recorded_answer(explained))) | {"explain": True}
    values = {name: rows[name][0] for name in predictor.model.feature_set.schema}
    inputs = {name: str(v) if name in ("issued", "opened") else v for name, v in values.items()}
    assert differences(predictor, record, inputs) == {}


@pytest.mark.parametrize("choice", ["average", "worst"])
def test_other_choices_refer_nothing(choice: str):
    model = model_of("scorecard", inquiries=choice)
    rows = _rows()
    decisions = model.policy.decision.decisions(model.score(rows)["probability"].to_numpy())
    assert model.score(rows)["decision"].equals(decisions)


def test_the_worst_value_raises_the_probability():
    average, worst = (model_of("scorecard", inquiries=choice) for choice in ("average", "worst"))
    rows = complete().with_columns(inquiries=pl.lit(None, pl.Int64))
    assert (worst.score(rows)["probability"] > average.score(rows)["probability"]).all()

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from loan_platform.core.book.decision_policies import ScorecardPolicy
from loan_platform.core.scoring import scoring_model as scoring
from loan_platform.core.scoring.scoring_model import points
from loan_platform_tests.support.lending import every_candidate, loans, odd_rows, trained


def test_one_row_scores_as_in_the_bulk():
    frame = odd_rows()
    for candidate in every_candidate():
        bulk = candidate.model.score(frame)
        alone = pl.concat([candidate.model.score(frame.slice(row, 1)) for row in range(0, frame.height, 5)])
        assert alone.equals(bulk.gather_every(5))


def test_threads_and_chunks_change_no_bit(monkeypatch: pytest.MonkeyPatch):
    frame, model = odd_rows(), trained().model
    whole = model.score(frame)
    monkeypatch.setattr(scoring, "CHUNK_ROWS", 37)
    assert replace(model, threads=3).score(frame).equals(whole)
    assert replace(model, threads=1).score(frame).equals(whole)


def test_many_threads_share_one_model():
    frame, model = odd_rows(200), trained().model
    expected = model.score(frame)["probability"].to_list()
    with ThreadPoolExecutor(8) as pool:
        rows = list(pool.map(lambda row: model.score(frame.slice(row, 1)).row(0)[0], list(range(200)) * 3))
    assert rows == expected * 3


def test_answer_is_a_probability_and_points():
    scored = trained().model.score(loans())
    assert scored.schema == {
        "probability": pl.Float64(),
        "score": pl.Float64(),
        "risk": pl.Enum(["low", "medium", "high"]),
        "decision": pl.Enum(["approve", "refer", "decline"]),
        "expected_loss": pl.Float64(),
    }
    assert scored["probability"].is_between(0, 1, closed="none").all()
    order = np.argsort(scored["probability"].to_numpy(), kind="stable")
    assert (np.diff(scored["score"].to_numpy()[order]) <= 0).all()


def test_points_are_600_at_30_to_1_and_20_double_the_odds():
    odds = np.array([30.0, 60.0, 15.0])
    assert points(-np.log(odds), ScorecardPolicy()).tolist() == pytest.approx([600, 620, 580])
    other = ScorecardPolicy(points=500, odds=60, points_to_double_odds=10)
    assert points(-np.log(odds), other).tolist() == pytest.approx([490, 500, 480])


def test_nothing_scores_to_nothing():
    assert trained().model.score(loans(10).clear()).height == 0


def test_features_scored_are_the_columns_scored():
    model, frame = trained().model, odd_rows()
    assert model.score_features(model.features(frame)).equals(model.score(frame))


def test_model_names_only_what_it_needs():
    model = trained().model
    assert {column.name for column in model.inputs} <= set(loans().columns)
    assert "rate" not in model.contract.by_name

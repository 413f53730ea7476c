"""Answers: what `score` says, with the reasons of what is declined."""

from dataclasses import replace

import polars as pl
import pytest

from bento.batch.job_run import ANSWERS as JOB_ANSWERS
from bento.model.answer_json import NAMES
from bento.openapi.batch_schemas import ANSWERED
from bento.openapi.schemas import PREDICTIONS
from loan_platform.adapters.audit.job_records import ROWS as JOB_ROWS
from loan_platform.core.monitoring.served_table import served_table
from loan_platform.core.scoring import predictor as module
from loan_platform.core.scoring.answer import (
    ANSWER_SCHEMA,
    REASON_FIELDS,
    REASONS,
    RECORDED_SCHEMA,
    SCORE_SCHEMA,
    Answer,
    Reason,
    answer_rows,
    recorded_answer,
    recorded_row,
)
from loan_platform.core.scoring.predictor import Predictor
from loan_platform.core.scoring.reasons import Explainer
from loan_platform.core.scoring.scoring_model import ScoringModel
from loan_platform_tests.support.lending import odd_rows, trained


def strict(share: float) -> ScoringModel:
    """The trained model; about that share of its loans is declined."""
    model = trained().model
    cut_off = model.score(odd_rows())["probability"].quantile(1 - share) or 0.0
    rule = model.policy.decision.model_copy(update={"approve_below": cut_off / 2, "decline_from": cut_off})
    return replace(model, policy=model.policy.model_copy(update={"decision": rule}))


def test_declined_loans_and_only_they_have_reasons():
    model, frame = strict(0.3), odd_rows()
    answers = Predictor(model).predict_frame(frame)
    assert answers.drop("reasons").equals(model.score(frame))
    declined = answers["decision"] == "decline"
    assert 250 < declined.sum() < 350
    assert (answers["reasons"].list.len() > 0).equals(declined)
    told = Explainer(model).reasons(model.features(frame.filter(declined)))
    for found, reasons in zip(answers.filter(declined)["reasons"].to_list(), told, strict=True):
        assert [entry["code"] for entry in found] == [reason.code for reason in reasons]
        assert [entry["points"] for entry in found] == [reason.points for reason in reasons]
        assert [entry["text"] for entry in found] == [reason.text for reason in reasons]


def test_one_row_is_answered_as_in_the_bulk():
    predictor, frame = Predictor(strict(0.5)), odd_rows(200)
    bulk = predictor.predict_frame(frame)
    assert pl.concat([predictor.predict_frame(frame.slice(row, 1)) for row in range(200)]).equals(bulk)


def test_chunks_change_no_answer(monkeypatch: pytest.MonkeyPatch):
    predictor, frame = Predictor(strict(0.3)), odd_rows()
    whole = predictor.predict_frame(frame)
    monkeypatch.setattr(module, "CHUNK_ROWS", 37)
    assert predictor.predict_frame(frame).equals(whole)


def test_one_application_is_answered_as_in_the_bulk():
    predictor, frame = Predictor(strict(0.5)), odd_rows(100)
    for row, bulk in zip(frame.iter_slices(1), predictor.predict_frame(frame).to_dicts(), strict=True):
        one = predictor.predict_one(row)
        assert answer_rows([one]) == [bulk]
        asked = predictor.predict_one(row, explain=True)
        assert asked.reasons[: len(one.reasons)] == one.reasons


def test_nothing_declined_and_no_rows():
    model, frame = trained().model, odd_rows(40)
    rule = model.policy.decision.model_copy(update={"decline_from": 1.0})
    lenient = Predictor(replace(model, policy=model.policy.model_copy(update={"decision": rule})))
    assert lenient.predict_frame(frame)["reasons"].to_list() == [[]] * 40
    assert lenient.predict_frame(frame.clear()).schema == lenient.predict_frame(frame).schema


def test_every_consumer_has_the_fields_of_the_answer():
    model, frame = strict(0.5), odd_rows(100)
    assert Predictor(model).predict_frame(frame).schema == pl.Schema(ANSWER_SCHEMA)
    assert model.score(frame).schema == pl.Schema(SCORE_SCHEMA)
    assert tuple(ANSWER_SCHEMA) == Answer._fields == tuple(RECORDED_SCHEMA)
    (answer,) = Predictor(model).predict_rows(frame.head(1), [True])
    assert recorded_row(answer_rows([answer])[0]) == recorded_answer(answer)
    assert tuple(recorded_answer(answer)) == Answer._fields
    assert (ANSWER_SCHEMA["reasons"], tuple(REASON_FIELDS)) == (REASONS, Reason._fields)


def test_service_and_records_have_the_fields_of_the_answer():
    served = served_table([], "loan_id", "issued").schema
    assert {name: served[name] for name in Answer._fields} == RECORDED_SCHEMA
    assert tuple(name for name in JOB_ROWS if name in Answer._fields) == Answer._fields
    assert tuple(name for name in JOB_ANSWERS if name in Answer._fields) == Answer._fields
    assert set(NAMES.values()) == set(Answer._fields)
    for schema in (PREDICTIONS["properties"]["predictions"]["items"], ANSWERED):
        assert [name for name in schema["required"] if name in Answer._fields] == list(Answer._fields)
        assert schema["properties"]["reasons"]["items"]["required"] == list(Reason._fields)

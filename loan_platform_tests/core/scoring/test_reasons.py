"""Reason codes: complete in points, in the contract's words, once for each cause."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from loan_platform.core.features.undefined import LARGEST
from loan_platform.core.models.calibration import Isotonic
from loan_platform.core.scoring import reasons as module
from loan_platform.core.scoring.answer import MAX_REASONS, Reason
from loan_platform.core.scoring.reasons import MIN_POINTS, Explainer
from loan_platform.core.scoring.scoring_model import ScoringModel
from loan_platform_tests.support.lending import every_candidate, loans, odd_rows, trained

BENDS = Isotonic(margins=(-3.0, -2.0, -1.0), values=(-3.5, -2.4, -0.2), outside=0.8)


def reasons(model: ScoringModel, features: pl.DataFrame, most: int = MAX_REASONS) -> list[tuple[Reason, ...]]:
    return Explainer(model).reasons(features, most)


def with_causes(model: ScoringModel, cause: str, *names: str, **more: str) -> ScoringModel:
    features = tuple(
        feature.model_copy(update={"reason_group": cause, **more} if feature.name in names else {})
        for feature in model.contract.features
    )
    return replace(model, contract=model.contract.model_copy(update={"features": features}))


@pytest.mark.parametrize("calibration", [None, BENDS])
def test_parts_and_the_average_loan_are_the_score(calibration: Isotonic | None):
    for candidate in every_candidate():
        model = replace(candidate.model, calibration=calibration or candidate.model.calibration)
        features = model.features(odd_rows())
        explainer = Explainer(model)
        parts = explainer.parts(features)
        average = model.score(odd_rows())["score"].to_numpy() - parts.sum(axis=1)
        assert explainer.features == model.design.features
        assert np.ptp(average) < 1e-3
        assert np.isfinite(parts).all()
        assert np.array_equal(explainer.parts(features.slice(3, 1)), parts[3:4])


def test_reasons_are_few_weighty_and_the_heaviest_first():
    model = trained().model
    found = reasons(model, model.features(loans()))
    assert len(found) == loans().height
    assert max(map(len, found)) == MAX_REASONS
    for row in found:
        points = [reason.points for reason in row]
        assert points == sorted(points)
        assert all(lost <= -MIN_POINTS for lost in points)
        assert len({reason.code for reason in row}) == len(row)


def test_a_risky_loan_is_told_why_and_a_safe_one_nothing_much():
    model = trained().model
    scored = loans().with_columns(model.score(loans()))
    risky, safe = (scored.sort("score", descending=order).head(200) for order in (False, True))
    worst = [sum(r.points for r in row) for row in reasons(model, model.features(risky))]
    best = [sum(r.points for r in row) for row in reasons(model, model.features(safe))]
    assert max(worst) < min(best)
    burdened = sum(row[0].code == "burden" for row in reasons(model, model.features(risky)))
    assert burdened > 100  # what the loans of this book default of


def test_one_row_has_the_reasons_of_the_bulk(monkeypatch: pytest.MonkeyPatch):
    for candidate in every_candidate():
        features = candidate.model.features(odd_rows())
        bulk = reasons(candidate.model, features)
        assert [reasons(candidate.model, features.slice(i, 1))[0] for i in range(features.height)] == bulk
        monkeypatch.setattr(module, "CHUNK_ROWS", 50)
        assert reasons(candidate.model, features) == bulk
        monkeypatch.undo()


def test_a_value_that_is_not_known_names_itself():
    model = trained().model
    unknown = loans(400).with_columns(pl.lit(None, pl.Float64).alias("income"))
    codes = {r.code: r for row in reasons(model, model.features(unknown), most=99) for r in row}
    assert not {"income", "burden", "monthly_income"} & set(codes)
    named = next(r for code, r in codes.items() if code.endswith("_not_known"))
    assert named.value is None
    assert named.text.startswith("Not known: ")
    assert "_" not in named.text
    feature = named.code.removesuffix("_not_known")
    told = with_causes(model, "none_else", feature, reason_not_known="Income was not stated")
    texts = {r.text for row in reasons(told, model.features(unknown), most=99) for r in row if r.code == named.code}
    assert texts == {"Income was not stated"}


@pytest.mark.parametrize("alone", [True, False])
def test_a_missing_value_that_is_a_fact_is_no_reason(alone: bool):
    plain = trained().model
    names = [name for name in plain.design.features if name in ("income", "burden", "monthly_income")]
    grouped = plain if alone else with_causes(plain, "affordability", *names)
    model = replace(
        grouped,
        contract=grouped.contract.model_copy(
            update={
                "features": tuple(
                    feature.model_copy(update={"missing_means": "no income"} if feature.name in names else {})
                    for feature in grouped.contract.features
                )
            }
        ),
    )
    features = model.features(loans(400).with_columns(pl.lit(None, pl.Float64).alias("income")))
    before, after = reasons(grouped, features, most=99), reasons(model, features, most=99)
    silent = {f"{name}_not_known" for name in names}
    assert any(silent & {reason.code for reason in row} for row in before)
    for told, row in zip(before, after, strict=True):
        others = tuple(reason for reason in told if reason.code not in silent)
        facts = tuple(r._replace(text="No income") if r.code in silent else r for r in told)
        assert row == (others or facts)  # the only reason that there is stays
    assert Explainer(model).column(features, most=99).list.len().to_list() == [len(row) for row in after]
    assert [r["code"] for row in Explainer(model).column(features).to_list() for r in row] == [
        reason.code for row in reasons(model, features) for reason in row
    ]


@pytest.mark.parametrize("end", [LARGEST, -LARGEST])
def test_an_undefined_value_is_told_without_a_number(end: float):
    model = trained().model
    features = model.features(loans(400)).with_columns(burden=pl.lit(end))
    alone = [r for row in reasons(model, features, most=99) for r in row]
    bulk = [r for row in Explainer(model).column(features, most=99).to_list() for r in row]
    assert [r.code for r in alone] == [r["code"] for r in bulk]
    assert {r.value for r in alone if r.code == "burden"} <= {None}
    assert {r["value"] for r in bulk if r["code"] == "burden"} <= {None}
    assert ("burden" in {r.code for r in alone}) == (end > 0)  # it is known, and has the highest risk
    assert not any("e38" in str(r.value) or "e38" in str(r.points) for r in alone)


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ({"description": "FICO of the second applicant, points."}, "Not known: FICO of the second applicant, points"),
        ({"description": "Income a month; before tax."}, "Not known: Income a month"),
        ({"missing_means": "no income of its own"}, "No income of its own"),
        ({"missing_means": "no income", "reason_not_known": "Income was not stated"}, "Income was not stated"),
    ],
)
def test_the_text_of_a_missing_value_is_the_contract_s(keys: dict[str, str], text: str):
    model = with_causes(trained().model, "none_else", "income", "burden", "monthly_income", **keys)
    features = model.features(loans().with_columns(pl.lit(None, pl.Float64).alias("income")))
    alone = {r.text for row in reasons(model, features, most=99) for r in row if r.code.endswith("income_not_known")}
    told = [r for row in Explainer(model).column(features, most=99).to_list() for r in row]
    assert alone == {r["text"] for r in told if r["code"].endswith("income_not_known")} == {text}


def test_a_cause_is_named_once_by_its_weightiest_feature():
    plain = trained().model
    members = [name for name in plain.design.features if name in ("income", "burden", "monthly_income")]
    grouped, features = with_causes(plain, "affordability", *members), plain.features(loans(400))
    explainer = Explainer(plain)
    parts, at = explainer.parts(features), [explainer.features.index(name) for name in members]
    for i, row in enumerate(reasons(grouped, features)):
        named = [reason for reason in row if reason.code in members]
        assert len(named) <= 1
        for reason in named:
            assert reason.points == round(float(parts[i, at].sum()), 2)
            assert reason.code == members[parts[i, at].argmin()]


def test_no_rows_have_no_reasons():
    model = trained().model
    assert reasons(model, model.features(loans(10).clear())) == []

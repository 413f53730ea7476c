"""Versions of one model with other cut-offs, and a book whose champion was withdrawn."""

import json
from pathlib import Path

import polars as pl
import pytest

from loan_platform.core.performance.performance_report import PerformanceReport
from loan_platform.core.performance.same_model import AnsweringModel, answering_model, loans_of_model
from loan_platform.core.scoring.bundle import load_bundle, write_policy_bundle
from loan_platform.core.scoring.manifest import BundleError
from loan_platform_tests.support.bundles import make_bundle
from loan_platform_tests.support.small_books.past_loans import (
    APPROVE_BELOW,
    after,
    judged,
    predictions,
    without_declined,
)

OLD = predictions(6_000, months=12, version=1)
UNKNOWN = pl.lit(None, pl.Int8).alias("outcome")
NEW = after(predictions(300, months=1, version=2, seed=4), 12).with_columns(UNKNOWN)


def models(before: float, after: float, same: bool = True) -> dict[int, AnsweringModel]:
    return {1: AnsweringModel("a", before), 2: AnsweringModel("a" if same else "b", after)}


def test_other_cut_offs_keep_the_verdict_of_the_model() -> None:
    frame = pl.concat([OLD, NEW])
    assert judged(frame, champion=2).verdict == "unknown"
    assert judged(frame, champion=2, models=models(0.2, 0.2, same=False)).verdict == "unknown"
    found = judged(frame, champion=2, models=models(0.2, 0.1))
    assert found.verdict == "ok"
    assert found.of_champion is not None
    assert (found.of_champion.population, found.of_champion.same_model) == ("scored", (1,))
    assert "; with the loans that the same model scored as version 1" in found.reason
    assert found.reason.endswith("version 1 is ok")


def test_a_bad_model_is_not_excused_by_new_cut_offs() -> None:
    wrong = OLD.with_columns(pl.col("probability") / 2.2)
    assert judged(pl.concat([wrong, NEW]), champion=2, models=models(0.2, 0.1)).verdict == "degraded"


def test_a_champion_without_loans_has_those_of_its_model() -> None:
    found = judged(OLD, champion=2, models=models(0.2, 0.1))
    assert (found.verdict, [v.version for v in found.versions]) == ("ok", [2, 1])


@pytest.mark.parametrize(("before", "approved"), [(0.2, True), (0.3, True), (0.1, False)])
def test_loans_count_as_approved_where_both_approve(before: float, approved: bool) -> None:
    """The reference is the Gini of the test loans that the champion approves: the judged loans are like those."""
    old = without_declined(OLD.with_columns(approved=pl.col("probability") < before))
    loans = loans_of_model(old, 2, models(before, APPROVE_BELOW))
    expected = old.filter(pl.col("probability") < APPROVE_BELOW).height if approved else 0
    assert (loans.height, int(loans["approved"].sum())) == (6_000, expected)


def test_without_a_champion_each_version_keeps_its_verdict() -> None:
    found = judged(OLD, champion=None)
    assert (found.verdict, found.reason) == ("unknown", "no version is champion; version 1 is ok")
    report = PerformanceReport.from_performance(found)
    assert json.loads(report.to_json())["champion"] is None
    assert PerformanceReport.from_json(report.to_json()) == report


def test_nothing_scored_is_unknown() -> None:
    assert judged(OLD.clear(), champion=1).verdict == "unknown"


@pytest.mark.parametrize("name", ["policy.json", "contract.json", "manifest.json"])
def test_a_damaged_or_other_version_is_a_bundle_error(tmp_path: Path, name: str) -> None:
    make_bundle(tmp_path / "one", 0.1)
    file = tmp_path / "one" / name
    for text in (json.dumps(json.loads(file.read_text()) | {"of_another_release": 1}), "{", None):
        file.unlink() if text is None else file.write_text(text)
        with pytest.raises(BundleError, match=f"^{name}: "):
            answering_model(tmp_path / "one")


def test_a_policy_version_answers_by_the_same_model(tmp_path: Path) -> None:
    make_bundle(tmp_path / "one", 0.1)
    make_bundle(tmp_path / "other", 0.2)
    bundle = load_bundle(tmp_path / "one")
    decision = bundle.model.policy.decision.model_copy(update={"approve_below": 0.01})
    write_policy_bundle(
        tmp_path / "policy",
        tmp_path / "one",
        bundle,
        bundle.model.policy.model_copy(update={"decision": decision}),
    )
    one, policy, other = (answering_model(tmp_path / name) for name in ("one", "policy", "other"))
    assert policy == AnsweringModel(one.probabilities, 0.01)
    assert other.probabilities != one.probabilities
    contract = tmp_path / "policy" / "contract.json"
    told = json.loads(contract.read_text())
    contract.write_text(json.dumps(told | {"description": "Other words."}))
    assert answering_model(tmp_path / "policy") == policy
    told["features"][0]["sql"] += " + 1"
    contract.write_text(json.dumps(told))
    assert answering_model(tmp_path / "policy") != policy

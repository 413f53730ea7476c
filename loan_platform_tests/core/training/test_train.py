import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from loan_platform.core.book.training_policies import SplitPolicy
from loan_platform.core.checking.contract_check import load_contract
from loan_platform.core.evaluation.metrics import evaluate
from loan_platform.core.features.feature_set import FeatureSet
from loan_platform.core.scoring.bundle import write_bundle
from loan_platform.core.training.report import TrainingReport
from loan_platform.core.training.splits import SplitError
from loan_platform.core.training.train import train
from loan_platform_tests.support.lending import book, contract, every_candidate, feature_frame, loans, trained
from loan_platform_tests.support.paths import REPOSITORY

SAME_BYTES = """
import sys
from pathlib import Path
from loan_platform.core.scoring.bundle import write_bundle
from loan_platform.core.training.train import train
from loan_platform_tests.support.lending import book, feature_frame, loans
directory, threads, shuffle = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
frame = loans().sample(fraction=1, shuffle=True, seed=shuffle) if shuffle else loans()
result = train(book(directions=False, threads=threads), feature_frame(frame))
for candidate in result.candidates:
    print(write_bundle(directory / candidate.family, candidate.model, {}, loans().head(32), {}))
print(result.report().to_json())
"""


def test_every_family_competes_and_the_reason_is_told():
    result = trained()
    assert [c.family for c in result.candidates] == ["scorecard", "random_forest", "gradient_boosting", "blend"]
    assert result.choice.family in result.choice.reason
    assert result.model.family == result.choice.family
    assert all(len(c.fold_aucs) == 2 and c.test.auc > 0.6 for c in result.candidates)
    assert {c.family for c in result.candidates if c.gain is None} == {"scorecard"}


def test_test_predictions_are_what_score_gives():
    result, frame = trained(), loans()
    rows = frame[result.test_predictions["row"]]
    assert rows["loan_id"].equals(result.test_predictions["loan_id"])
    for candidate in result.candidates:
        scored = candidate.model.score(rows)["probability"]
        assert scored.to_list() == result.test_predictions[candidate.family].to_list()
        assert candidate.test == evaluate(result.test_predictions["target"], scored)


def test_probabilities_are_calibrated():
    assert all(abs(c.test.mean_probability - c.test.base_rate) < 0.06 for c in every_candidate())
    assert all(c.test.brier < c.test.brier_base for c in every_candidate())


def test_the_test_set_decides_nothing():
    """Flipped outcomes in the test months change no candidate and no choice."""
    frame = feature_frame(loans())
    cut = pl.col("issued") >= trained().split.parts["test"].first
    flipped = frame.with_columns(pl.when(cut).then(1 - pl.col("target")).otherwise(pl.col("target")).alias("target"))
    other = train(book(), flipped)
    assert other.choice == trained().choice
    for one, two in zip(trained().candidates, other.candidates, strict=True):
        assert one.model.model == two.model.model
        assert one.model.calibration == two.model.calibration
        assert one.test != two.test


def test_the_report_survives_json():
    report = trained().report()
    assert TrainingReport.from_json(report.to_json()) == report
    assert report.chosen == trained().choice.family
    assert report.split.rows == 4_000
    assert len(report.candidates) == 4


def test_a_family_that_cannot_be_chosen_is_not_trained():
    lines: list[str] = []
    result = train(book(families=("scorecard", "mlp"), trials=1), feature_frame(loans(1_500)), lines.append)
    assert [c.family for c in result.candidates] == ["scorecard"]
    assert list(result.not_trained) == list(result.report().not_trained) == ["mlp"]
    assert [line for line in lines if line.startswith("mlp")] == [f"mlp: not trained: {result.not_trained['mlp']}"]
    assert "mlp" not in result.test_predictions.columns


def test_the_network_competes_where_features_have_no_directions():
    result = train(book(directions=False, families=("scorecard", "mlp"), trials=1), feature_frame(loans(1_500)))
    assert [c.family for c in result.candidates] == ["scorecard", "mlp"]
    assert result.not_trained == {}
    assert set(result.choice.gains) == {"mlp"}


@pytest.mark.slow
def test_same_bytes_whatever_threads_hash_seed_zone_or_order(tmp_path: Path):
    seen: set[str] = set()
    for run, (threads, shuffle, seed, zone) in enumerate([(1, 0, "0", "UTC"), (2, 5, "77", "Asia/Kolkata")]):
        environment = {
            **os.environ,
            "PYTHONHASHSEED": seed,
            "TZ": zone,
            "OMP_NUM_THREADS": str(threads),
            "OPENBLAS_NUM_THREADS": str(3 - threads),
            "OMP_WAIT_POLICY": "passive",
        }
        command = [sys.executable, "-c", SAME_BYTES, str(tmp_path / str(run)), str(threads), str(shuffle)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        files = sorted(path for path in (tmp_path / str(run)).rglob("*") if path.is_file())
        content = "".join(hashlib.sha256(path.read_bytes()).hexdigest() for path in files)
        assert len(files) == 5 * 8
        seen.add(content + done.stdout)
    assert len(seen) == 1


def test_a_book_without_dates_is_split_by_hash():
    undated = contract().model_copy(update={"event_date": None})
    policies = book(families=("scorecard",)).model_copy(
        update={"contract": undated, "split": SplitPolicy(kind="hash", folds=2)}
    )
    result = train(policies, feature_frame(loans()).drop("issued"))
    assert result.split.report().test.first is None
    assert result.candidates[0].test.auc > 0.6
    assert "issued" not in result.test_predictions.columns


def test_progress_is_told():
    lines: list[str] = []
    same = feature_frame(loans(1_500)).with_columns(purpose=pl.lit("car"))
    result = train(book(families=("scorecard",), trials=1), same, lines.append)
    assert lines[0].startswith("split: fit ")
    told = "the model does not read it: all development loans have the same value"
    assert f"feature purpose: {told}" in lines
    assert result.report().left_out["purpose"] == told
    assert any(line.startswith("scorecard: mean AUC ") for line in lines)
    assert any(line.startswith("choice: ") for line in lines)


def test_one_class_is_refused():
    with pytest.raises(SplitError, match="with 0 defaults"):
        train(book(), feature_frame(loans(500).with_columns(target=pl.lit(0))))


def test_pricing_is_used_where_it_is_allowed():
    frame = loans(1_500)
    with_rate = pl.concat([feature_frame(frame), frame.select("rate")], how="horizontal")
    assert "rate" in train(book(families=("scorecard",), use_pricing=True, trials=1), with_rate).model.importance
    assert "rate" not in train(book(families=("scorecard",), trials=1), with_rate).model.importance


def test_lending_club_features_compile():
    path = REPOSITORY / "loan_platform" / "defs" / "lending_club" / "contract.yaml"
    lending_club = load_contract(path)
    assert len(FeatureSet(lending_club, use_pricing=True).names) - len(FeatureSet(lending_club).names) == 3
    empty = FeatureSet(lending_club).compute(pl.DataFrame({"loan_amnt": [1000.0, 2000.0]}))
    assert empty["loan_amnt"].to_list() == empty["exposure"].to_list() == [1000, 2000]
    assert np.all([empty[name].null_count() == 2 for name in empty.columns if name not in ("loan_amnt", "exposure")])


def test_a_bundle_of_the_champion_is_written_twice_alike(tmp_path: Path):
    one = write_bundle(tmp_path / "1", trained().model, {"a": 1}, loans().head(40), {"b": 2})
    assert write_bundle(tmp_path / "2", trained().model, {"a": 1}, loans().head(40), {"b": 2}) == one

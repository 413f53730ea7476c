from pathlib import Path

import polars as pl
import pytest

from loan_platform.sample_data.lending_club.columns import RAW_COLUMNS
from loan_platform.sample_data.lending_club.files import (
    FIRST_APPLICATION_ID,
    Applications,
    write_applications,
    write_loan_book,
    write_outcomes,
)
from loan_platform.sample_data.lending_club.people import Drift
from loan_platform_tests.support.outcome_columns import OUTCOME_COLUMNS

RESOLVED = ["Fully Paid", "Charged Off"]
BATCH = Applications(rows=4_000, seed=11)


def read(path: Path) -> pl.DataFrame:
    return pl.read_csv(path, infer_schema=False)


@pytest.fixture(scope="module")
def applications(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    path = tmp_path_factory.mktemp("new") / "applications.csv"
    write_applications(path, BATCH, dirty_share=0.0)
    return read(path)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    path = tmp_path_factory.mktemp("later") / "outcomes.csv"
    write_outcomes(path, BATCH, resolved_months=3)
    return read(path)


def test_applications_have_no_outcome_and_new_ids(tmp_path: Path, applications: pl.DataFrame) -> None:
    write_loan_book(tmp_path / "loans.csv", rows=2_000, seed=11, dirty_share=0.0, footer=False)
    assert applications.height == 4_000
    assert all(applications[name].null_count() == 4_000 for name in OUTCOME_COLUMNS)
    assert applications["fico_range_low"].null_count() == 0
    assert set(applications["issue_d"]) == {f"{m}-2018" for m in ("Jul", "Aug", "Sep", "Oct", "Nov", "Dec")}
    assert applications["id"].cast(pl.Int64).min() == pytest.approx(FIRST_APPLICATION_ID, abs=61)
    assert set(applications["id"]).isdisjoint(read(tmp_path / "loans.csv")["id"])


def test_outcomes_are_of_the_same_applicants(applications: pl.DataFrame, outcomes: pl.DataFrame) -> None:
    known = [name for name in RAW_COLUMNS if name not in OUTCOME_COLUMNS]
    assert outcomes.select(known).equals(applications.select(known))
    early = pl.col("issue_d").is_in(["Jul-2018", "Aug-2018", "Sep-2018"])
    assert set(outcomes.filter(early)["loan_status"]) == set(RESOLVED)
    assert set(outcomes.filter(~early)["loan_status"]) == {"Current"}
    bad = outcomes.filter(early, pl.col("loan_status") == "Charged Off")
    good = outcomes.filter(early, pl.col("loan_status") == "Fully Paid")
    assert mean(good, "fico_range_low") > mean(bad, "fico_range_low") + 5


def test_drift_moves_the_months_from_its_start(tmp_path: Path, applications: pl.DataFrame) -> None:
    drift = Drift(start="2018-10", income_factor=0.7, fico_shift=-25.0, purpose_shift=0.5)
    batch = Applications(rows=4_000, seed=11, drift=drift)
    write_applications(tmp_path / "drifted.csv", batch, dirty_share=0.0)
    write_outcomes(tmp_path / "later.csv", batch, resolved_months=6)
    drifted = read(tmp_path / "drifted.csv")
    before = pl.col("issue_d").is_in(["Jul-2018", "Aug-2018", "Sep-2018"])
    assert drifted.filter(before).equals(applications.filter(before))
    moved, still = drifted.filter(~before), applications.filter(~before)
    assert mean(moved, "annual_inc") / mean(still, "annual_inc") == pytest.approx(0.7, abs=0.01)
    assert mean(moved, "fico_range_low") - mean(still, "fico_range_low") == pytest.approx(-25, abs=0.5)
    assert share(still, "purpose", "debt_consolidation") == pytest.approx(0.565, abs=0.03)
    assert share(moved, "purpose", "debt_consolidation") == pytest.approx(0.41, abs=0.04)
    later = read(tmp_path / "later.csv")
    rates = [share(part, "loan_status", "Charged Off") for part in (later.filter(before), later.filter(~before))]
    assert rates[1] > rates[0] + 0.08


def mean(frame: pl.DataFrame, column: str) -> float:
    return frame.select(pl.col(column).cast(pl.Float64).mean()).item()


def share(frame: pl.DataFrame, column: str, value: str) -> float:
    return frame.select((pl.col(column) == value).mean()).item()

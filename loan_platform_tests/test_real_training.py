"""The chosen model on LendingClub's loans of 2007-2011, tested on the eight newest months."""

from pathlib import Path

import polars as pl
import pytest
import yaml

import loan_platform
from loan_platform.core.features import FeatureSet
from loan_platform.core.portfolio import Portfolio, load_contract
from loan_platform.core.table import TARGET
from loan_platform.core.training import TrainingResult, train
from loan_platform_tests.ingest import ingest

pytestmark = [pytest.mark.real_data, pytest.mark.slow]

FOLDER = Path(loan_platform.__file__).parent / "defs" / "lending_club"


@pytest.fixture(scope="module")
def book() -> Portfolio:
    attributes = yaml.safe_load((FOLDER / "defs.yaml").read_text())["attributes"]
    policies = {key: value for key, value in attributes.items() if key in Portfolio.model_fields}
    contract = load_contract(FOLDER / "contract.yaml")
    return Portfolio.model_validate({**policies, "name": "lending_club", "contract": contract})


@pytest.fixture(scope="module")
def result(book: Portfolio, loan_data: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainingResult:
    path = loan_data / "lendingclub" / "loanstats_2007_2011.csv.gz"
    loans = ingest([path], tmp_path_factory.mktemp("real"), book.contract).accepted
    features = FeatureSet(book.contract, book.training.use_pricing).compute(loans)
    return train(book, pl.concat([loans.select("loan_id", "issue_d", TARGET), features], how="horizontal"))


def test_the_chosen_model_ranks_and_is_calibrated_on_later_months(result: TrainingResult):
    chosen = next(c for c in result.candidates if c.family == result.choice.family)
    assert result.split.report()["test"] | {"defaults": 0, "default_rate": 0} == {
        "rows": 13_037,
        "defaults": 0,
        "default_rate": 0,
        "first": "2011-01-01",
        "last": "2011-08-01",
    }
    assert 0.697 <= chosen.test.auc <= 0.75
    assert chosen.test.ece <= 0.02
    assert chosen.test.brier < chosen.test.brier_base


def test_no_pricing_is_read(book: Portfolio, result: TrainingResult):
    pricing = {column.name for column in book.contract.columns if column.known == "pricing"}
    assert not pricing & {column.name for column in result.model.inputs}


def test_no_folds_reach_into_the_test_months(result: TrainingResult):
    test = set(result.split.test.tolist())
    assert not any(test & set(rows.tolist()) for fold in result.split.folds for rows in fold)

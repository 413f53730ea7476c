"""The LendingClub book: on real loans to the figures it must reach, on generated ones to the same bytes twice."""

import json
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from loan_platform.adapters.storage.model_store import ModelStore
from loan_platform.assets.loan_portfolio import LoanPortfolio, book_definitions
from loan_platform.assets.resources.configured import platform_resources
from loan_platform.core.book.constants import TARGET
from loan_platform.core.book.monitoring_policies import DriftPolicy
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.checking.contract_check import load_contract
from loan_platform.core.evaluation.evaluation_report import Evaluation
from loan_platform.core.performance.performance import Performance, performance
from loan_platform.core.performance.verdict import GiniReference
from loan_platform.core.scoring.decisions import APPROVED
from loan_platform.definitions import defs
from loan_platform.sample_data.lending_club.files import (
    Applications,
    write_applications,
    write_loan_book,
    write_outcomes,
)
from loan_platform.sample_data.lending_club.people import Drift
from loan_platform.settings.platform import PlatformSettings
from loan_platform_tests.support.paths import REPOSITORY

BOOK = "lending_club"
MONTHS = {"dagster/asset_partition_range_start": "2018-07", "dagster/asset_partition_range_end": "2018-12"}


def run(definitions: dg.Definitions, instance: dg.DagsterInstance, purpose: str) -> dg.ExecuteInProcessResult:
    tags = MONTHS if purpose in ("scoring", "monitoring") else None
    result = definitions.resolve_job_def(f"{BOOK}_{purpose}").execute_in_process(instance=instance, tags=tags)
    assert result.success
    return result


def report(name: str) -> dict:
    return json.loads((PlatformSettings.from_environment().reports / BOOK / name).read_text())


@pytest.mark.real_data
@pytest.mark.slow
@pytest.mark.thorough
def test_real_loans_reach_the_figures(loan_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LENDING_CLUB_LOANS", str(loan_data / "lendingclub" / "loanstats_2007_2011.csv.gz"))
    with dg.DagsterInstance.ephemeral() as instance:
        run(defs(), instance, "training")
    found = report("evaluation.json")
    test = found["split"]["test"]
    assert (test["first"], test["last"], test["rows"]) == ("2011-01-01", "2011-08-01", 13_037)
    assert 0.697 <= found["test"]["auc"] <= 0.75
    assert found["test"]["ece"] <= 0.02
    assert found["test"]["brier"] < found["test"]["brier_base"]
    assert found["leak_alarms"] == []
    book = quick_book()
    pricing = {column.name for column in book.contract.columns if column.available_at == "pricing"}
    model = ModelStore(PlatformSettings.from_environment().lake / BOOK / "trained_model").newest().bundle().model
    assert not pricing & {column.name for column in model.inputs}


def of_own_test_loans(approved_alone: bool) -> Performance:
    """The newest model judged by its own test loans as outcomes: of all, or of those that it approves alone."""
    settings = PlatformSettings.from_environment()
    model, found = (
        ModelStore(settings.lake / BOOK / "trained_model").newest(),
        Evaluation.model_validate(report("evaluation.json")),
    )
    scoring, predictions = model.bundle().model, model.frame("test_predictions")
    probability = predictions[found.chosen].to_numpy()
    approved = scoring.decisions(scoring.features(model.frame("test_rows")), probability) == APPROVED
    known = pl.Series([not approved_alone] * len(approved)) | approved
    loans = predictions.select(
        vintage="issue_d",
        model_version=pl.lit(1),
        probability=found.chosen,
        approved=approved,
        reported=known,
        in_sample=pl.lit(False),
    ).with_columns(pl.when(known).then(predictions[TARGET]).alias("outcome"))
    reference = GiniReference(found.intervals["gini"], found.approved.gini if found.approved else None)
    return performance(loans, {1: reference}, 1, DriftPolicy())


def quick_book() -> Portfolio:
    """The book with less to tune."""
    tree = dg.ComponentTree.for_project(REPOSITORY / "loan_platform")
    component = tree.load_component(Path(BOOK))
    assert isinstance(component, LoanPortfolio)
    policies = component.attributes.model_dump(exclude={"contract"})
    policies["training"] |= {"families": ["scorecard", "gradient_boosting", "blend"], "trials": 2}
    policies["promotion"]["max_ece"] = 0.06  # 1,400 test loans alone give an ECE of .02
    contract = load_contract(REPOSITORY / "loan_platform" / "defs" / BOOK / "contract.yaml")
    return Portfolio(name=BOOK, contract=contract, **policies)


@pytest.mark.slow
def test_the_story_of_a_generated_book() -> None:
    """Trained twice to the same bytes, promoted once, scored by month, alarmed where the applicants changed."""
    settings = PlatformSettings.from_environment()
    folder = settings.data / BOOK
    folder.mkdir(parents=True)
    drift = Drift(start="2018-12", income_factor=0.6, fico_shift=-40, purpose_shift=0.4)
    batch = Applications(rows=6_000, seed=5, drift=drift)
    write_loan_book(folder / "loans.csv", rows=12_000, seed=5, start="2013-01")
    write_applications(folder / "applications.csv", batch)
    write_outcomes(folder / "outcomes.csv", batch, resolved_months=3)
    book = book_definitions(quick_book())
    platform = dg.Definitions(resources=platform_resources(settings), executor=dg.in_process_executor)
    definitions = dg.Definitions.merge(book, platform)
    with dg.DagsterInstance.ephemeral() as instance:
        run(definitions, instance, "training")
        first = report("evaluation.json")["sha256"]
        run(definitions, instance, "promotion")
        run(definitions, instance, "training")
        assert report("evaluation.json")["sha256"] == first
        run(definitions, instance, "promotion")
        assert "Nothing to do" in report("promotion.json")["summary"]
        run(definitions, instance, "scoring")
        run(definitions, instance, "monitoring")
    staging = report("staging.json")
    assert staging["rows_in"] == staging["accepted"] + staging["quarantined"]
    verdicts = {month: report(f"drift/{month}.json")["verdict"] for month in ("2018-07", "2018-08", "2018-12")}
    assert verdicts["2018-07"] != "critical"
    assert verdicts["2018-08"] != "critical"
    assert verdicts["2018-12"] == "critical"
    assert report("performance.json")["verdict"] == "ok"
    for alone in (False, True):
        assert of_own_test_loans(approved_alone=alone).verdict == "ok"
    scored = pl.concat(
        pl.read_parquet(path) for path in (settings.lake / BOOK / "predictions").glob("*/part-0.parquet")
    )
    applications = pl.read_parquet(settings.lake / BOOK / "applications" / "part-0.parquet")
    assert sorted(scored["loan_id"]) == sorted(applications["loan_id"])

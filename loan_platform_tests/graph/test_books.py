"""Each shipped book beside LendingClub runs from generated raw files to drift reports, by its YAML alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from loan_platform.adapters.ledger.ledger import Ledger
from loan_platform.adapters.warehouse.linked_tables import LinkedTables
from loan_platform.adapters.warehouse.sample_files import SCRIPT, write_sample
from loan_platform.adapters.warehouse.session import DuckDbSession
from loan_platform.adapters.warehouse.warehouse import Warehouse
from loan_platform.cli.books import book_folder
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.checking.book_check import load_book
from loan_platform.core.features.feature_set import FeatureSet
from loan_platform.core.staging.table import Table
from loan_platform.definitions import defs
from loan_platform.settings.platform import PlatformSettings
from loan_platform_tests.support.processes.homes import ready_home

pytestmark = pytest.mark.slow

BOOKS = {"credit_cards": 5_000, "bank_customers": 4_000, "retail_loans": 4_000}


@dataclass(frozen=True)
class Finished:
    """A book's pipeline job, run once on its sample."""

    book: Portfolio
    settings: PlatformSettings
    result: dg.ExecuteInProcessResult
    made: dict[str, int]

    def lake(self, asset: str) -> pl.DataFrame:
        return pl.read_parquet(sorted((self.settings.lake / self.book.name / asset).rglob("part-0.parquet")))

    def report(self, name: str) -> dict[str, Any]:
        import json

        return json.loads((self.settings.reports / self.book.name / name).read_text())


@pytest.fixture(scope="module", params=BOOKS)
def finished(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Finished]:
    folder = book_folder(request.param)
    book = load_book(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOAN_PLATFORM_HOME", str(ready_home(tmp_path_factory.mktemp(book.name))))
        settings = PlatformSettings.from_environment()
        files = {name: settings.home / source.path for name, source in book.sources.items()}
        made = write_sample(folder / SCRIPT, files, BOOKS[book.name])
        job = defs().resolve_job_def(f"{book.name}_pipeline")
        with dg.DagsterInstance.ephemeral() as instance:
            yield Finished(book, settings, job.execute_in_process(instance=instance, raise_on_error=False), made)


def test_the_pipeline_succeeds_and_every_blocking_check_passes(finished: Finished) -> None:
    assert finished.result.success
    checks = finished.result.get_asset_check_evaluations()
    assert [c.check_name for c in checks if not c.passed and c.severity == dg.AssetCheckSeverity.ERROR] == []


def test_every_application_has_a_prediction_of_the_champion(finished: Finished) -> None:
    champion = Ledger(finished.settings.ledger_url).champion(finished.book.name)
    assert champion is not None
    predictions = finished.lake("predictions")
    assert predictions.height == finished.made["applications"]
    assert predictions["model_version"].unique().to_list() == [champion.version]
    assert predictions["probability"].is_between(0, 1, closed="none").all()


def test_its_model_ranks_and_has_its_page(finished: Finished) -> None:
    test = finished.report("evaluation.json")["test"]
    assert finished.book.promotion.min_auc <= test["auc"] <= finished.book.promotion.max_auc
    card = (finished.settings.reports / finished.book.name / "model_card.md").read_text()
    assert finished.book.contract.target.description in card


def test_applications_like_the_loans_drift_nowhere(finished: Finished) -> None:
    reports = sorted((finished.settings.reports / finished.book.name / "drift").glob("*.json"))
    verdicts = {p.stem: finished.report(f"drift/{p.name}")["verdict"] for p in reports if "evidently" not in p.name}
    assert set(verdicts.values()) == {"ok"}
    assert set(verdicts) == ({"all"} if finished.book.partitions.every == "none" else {"2025-01", "2025-02"})


def test_protected_columns_are_in_no_feature(finished: Finished) -> None:
    protected = {column.name for column in finished.book.contract.columns if column.protected}
    assert not protected & set(finished.lake("loan_features").columns)


LINKED = pytest.mark.parametrize("finished", ["retail_loans"], indirect=True)


@LINKED
def test_names_and_numbers_of_people_never_leave_the_source(finished: Finished) -> None:
    for asset in ("raw_attributes", "clean_attributes", "quarantined_attributes", "joined_loans"):
        assert not {"name", "ssn"} & {column.lower() for column in finished.lake(asset).columns}


@LINKED
def test_garbage_is_missing_with_a_reason_and_never_zero(finished: Finished) -> None:
    nulled = {(n["column"], n["reason"]): n["rows"] for n in finished.report("financials/staging.json")["nulled"]}
    clean = finished.lake("clean_financials")
    for column, reason in (("credit_mix", "unknown_category"), ("invested_monthly", "out_of_range"),
                           ("open_loans", "out_of_range"), ("credit_limit_change", "unparseable")):  # fmt: skip
        assert nulled[column, reason] == clean[column].null_count() > 0
    assert clean["open_loans"].drop_nulls().is_between(0, 20).all()
    assert clean["credit_history_months"].null_count() == 0
    ages = {
        n["reason"]: n["rows"] for n in finished.report("attributes/staging.json")["nulled"] if n["column"] == "age"
    }
    assert ages == {"out_of_range": finished.lake("clean_attributes")["age"].null_count()}


@LINKED
def test_raw_and_clean_assets_of_every_source_reconcile(finished: Finished) -> None:
    for table in finished.book.contract.tables:
        staged = finished.report(f"{table.name}/staging.json")
        assert staged["rows_in"] == finished.made[table.name] == finished.lake(f"raw_{table.name}").height
        assert staged["accepted"] == finished.lake(f"clean_{table.name}").height


@LINKED
def test_an_application_has_the_features_of_its_loan(finished: Finished, tmp_path: Path) -> None:
    """The first lines of the last months' loans, as applications: earlier loans of their customers are history."""
    first = finished.lake("clean_loans").filter(
        pl.col("installment_num") == 0, pl.col("loan_start_date") >= date(2024, 12, 1)
    )
    loans = finished.lake("validated_loans").filter(pl.col("loan_id").is_in(first["loan_id"].implode()))
    assert loans.height == first.height > 100
    expected = features_of(finished.book, loans)
    assert expected["earlier_months_overdue"].sum() > 10
    assert rejoined(finished, tmp_path, {}, first).equals(expected)


@LINKED
@pytest.mark.parametrize("table", ["loans", "attributes", "financials", "clickstream"])
def test_no_feature_moves_when_later_records_are_shifted(finished: Finished, table: str, tmp_path: Path) -> None:
    rows = finished.lake(f"clean_{table}")
    numbers = [c for c, t in rows.schema.items() if t.is_numeric() and c not in ("source_line", "installment_num")]
    before = features_of(finished.book, finished.lake("validated_loans"))
    if table in ("loans", "clickstream"):
        starts = finished.lake("clean_loans").group_by("customer_id").agg(start=pl.col("loan_start_date").max())
        known = rows.join(starts, on="customer_id", how="left", maintain_order="left")
        after = pl.col("snapshot_date") > pl.col("start")
        assert known.select(after.sum()).item() > 1_000
        later = known.with_columns(pl.when(after).then(pl.col(c) + 7).otherwise(c) for c in numbers).drop("start")
    else:
        again = rows.with_columns(pl.lit(date(2031, 1, 1)).alias("snapshot_date"), *(pl.col(c) + 7 for c in numbers))
        later = pl.concat([rows, again])
    assert not later.equals(rows)
    assert rejoined(finished, tmp_path, {table: later}).equals(before)


def rejoined(
    finished: Finished, folder: Path, changed: dict[str, pl.DataFrame], applications: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Features of every loan, or of applications, after the join of changed tables."""
    contract, tables = finished.book.contract, {}
    for table in contract.tables:
        tables[table.name] = folder / f"{table.name}.parquet"
        changed.get(table.name, finished.lake(f"clean_{table.name}")).write_parquet(tables[table.name])
    joined, accepted = folder / "joined.parquet", folder / "accepted.parquet"
    session = DuckDbSession(temp_directory=folder)
    linked = LinkedTables(session, contract)
    if applications is None:
        assert linked.join(tables, joined).lost == 0
    else:
        applications.write_parquet(folder / "applications.parquet")
        assert linked.join_new(tables, folder / "applications.parquet", joined, folder / "lost.parquet").lost == 0
    Warehouse(session).stage(joined, Table.from_contract(contract), accepted, folder / "quarantined.parquet")
    return features_of(finished.book, pl.read_parquet(accepted))


def features_of(book: Portfolio, loans: pl.DataFrame) -> pl.DataFrame:
    ordered = loans.sort(book.contract.entity_key)
    return FeatureSet(book.contract, book.training.use_pricing).compute(ordered)

"""Rows are published when no blocking check failed, whichever it is; otherwise they are kept aside."""

from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from loan_platform.adapters.storage.lake import Lake
from loan_platform.adapters.storage.report_files import ReportFiles
from loan_platform.assets.ingestion.publication import Checked, Decision, Publisher
from loan_platform.assets.loan_portfolio import book_definitions
from loan_platform_tests.support.small_books.linked_cars import NAME, linked_cars

BOOK = linked_cars()
ASSETS = [made for made in book_definitions(BOOK).assets or [] if isinstance(made, dg.AssetsDefinition)]
SPECS = [spec for made in ASSETS for spec in made.check_specs]
OF_MODELS = {"model_evaluation", "scoring_service"}  # they publish no rows
BLOCKING = [spec for spec in SPECS if spec.blocking and spec.asset_key.path[-1] not in OF_MODELS]
WARNING = [spec for spec in SPECS if not spec.blocking and spec.asset_key.path[-1] == "validated_loans"]


def publish(folder: Path, asset: str, rows: list[int], failed: str | None = None) -> Decision:
    """Write rows of an asset, with results of its real checks of which at most one failed, and decide."""
    specs = [spec for spec in SPECS if spec.asset_key.path[-1] == asset]
    checked = Checked(
        results=tuple(
            dg.AssetCheckResult(
                asset_key=spec.asset_key, check_name=spec.name, passed=spec.name != failed, description=f"{rows}"
            )
            for spec in specs
        ),
        blocking=frozenset(spec.name for spec in specs if spec.blocking),
        reports={"staging.json": f"{rows}"},
    )
    lake = Lake(folder / "lake")
    with lake.candidates(NAME, (asset,)) as candidates:
        pl.DataFrame({"x": rows}).write_parquet(candidates.paths[asset])
        return Publisher(BOOK, asset, lake, ReportFiles(folder / "reports"), f"{asset}/").decide(candidates, checked)


def report(folder: Path, name: str) -> str:
    return (folder / "reports" / NAME / name / "staging.json").read_text()


@pytest.mark.parametrize("spec", BLOCKING, ids=lambda spec: spec.key.to_user_string())
def test_each_blocking_check_refuses_the_rows(tmp_path: Path, spec: dg.AssetCheckSpec) -> None:
    asset, lake = spec.asset_key.path[-1], Lake(tmp_path / "lake")
    publish(tmp_path, asset, [1])
    before = lake.published(NAME, asset)
    decision = publish(tmp_path, asset, [2], failed=spec.name)
    assert lake.published(NAME, asset) == before
    assert pl.read_parquet(lake.root / NAME / asset / "part-0.parquet")["x"].to_list() == [1]
    assert pl.read_parquet(lake.refused_path(NAME, asset))["x"].to_list() == [2]
    assert (report(tmp_path, asset), report(tmp_path, f"refused/{asset}")) == ("[1]", "[2]")
    events: list[object] = []
    with pytest.raises(dg.Failure, match=rf"{asset} is refused: 1 blocking check failed\.\n- {spec.name}: \[2\]"):
        events.extend(decision.events([dg.MaterializeResult()]))
    assert decision.refusal is not None
    assert "The published rows are unchanged." in str(decision.refusal.description)


def test_every_asset_with_rows_and_blocking_checks_is_here() -> None:
    staged = {"clean_loans", "clean_people", "joined_loans", "validated_loans", "applications", "outcomes"}
    assert {spec.asset_key.path[-1] for spec in BLOCKING} == staged


@pytest.mark.parametrize("spec", WARNING, ids=lambda spec: spec.name)
def test_a_warning_publishes(tmp_path: Path, spec: dg.AssetCheckSpec) -> None:
    decision = publish(tmp_path, "validated_loans", [1], failed=spec.name)
    told = list(decision.events([dg.MaterializeResult()]))
    assert isinstance(told[0], dg.MaterializeResult)
    assert [r.check_name for r in told if isinstance(r, dg.AssetCheckResult) and not r.passed] == [spec.name]


def test_a_first_file_that_is_refused_publishes_nothing(tmp_path: Path) -> None:
    decision = publish(tmp_path, "outcomes", [1], failed="quarantine_within_policy")
    assert decision.refusal is not None
    assert "No rows were published before." in str(decision.refusal.description)
    assert not Lake(tmp_path / "lake").exists(NAME, "outcomes")


def test_refused_rows_are_replaced_then_removed(tmp_path: Path) -> None:
    refused = Lake(tmp_path / "lake").refused_path(NAME, "outcomes")
    for rows in ([1], [2]):
        publish(tmp_path, "outcomes", rows, failed="rows_reconcile")
        assert pl.read_parquet(refused)["x"].to_list() == rows
    publish(tmp_path, "outcomes", [3])
    assert not refused.parent.exists()
    assert not (tmp_path / "reports" / NAME / "refused" / "outcomes").exists()
    assert not list(tmp_path.rglob("*.partial"))

"""Applications have one asset check for each rule of the contract that needs no outcome."""

import dagster as dg

from loan_platform.assets.inference.applications import application_assets
from loan_platform.assets.ingestion.loans import ingestion_assets
from loan_platform.cli.books import book_folder
from loan_platform.core.checking.book_check import load_book

BOOK = load_book(book_folder("lending_club"))


def blocks(assets: list[dg.AssetsDefinition], asset: str) -> dict[str, bool]:
    """The checks of an asset, and whether they block."""
    specs = [spec for definition in assets for spec in definition.check_specs]
    return {spec.name: spec.blocking for spec in specs if spec.asset_key.path[-1] == asset}


def test_row_rules_are_checks_of_loans_and_applications() -> None:
    rules = {f"row_rule_{rule.name}": rule.severity == "critical" for rule in BOOK.contract.row_rules}
    for found in (
        blocks(ingestion_assets(BOOK), "validated_loans"),
        blocks(application_assets(BOOK), "applications"),
    ):
        assert {name: blocking for name, blocking in found.items() if name in rules} == rules


def test_applications_have_no_check_about_outcomes_or_shares() -> None:
    found = blocks(application_assets(BOOK), "applications")
    assert found["annual_inc_between"]
    assert not found["dti_missing_share"]
    assert not {"has_rows", "loan_id_unique", "loan_status_in_set", "int_rate_between"} & found.keys()

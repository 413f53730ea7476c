"""From a CSV that no contract knows to a promoted model and predictions, with no Python and no edited line."""

import sys
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from loan_platform.adapters.drafting.book_folder import create_book, read_book
from loan_platform.adapters.drafting.draft_book import BookRequest
from loan_platform.adapters.ledger.ledger import Ledger
from loan_platform.assets.loan_portfolio import location
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.drafting.judging.draft import Draft
from loan_platform.settings.platform import PlatformSettings
from loan_platform_tests.support.own_books import write_german, write_project, write_wide


def run(
    folder: Path, write: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> tuple[Draft, Portfolio, PlatformSettings]:
    """Draft a book from the file and run its pipeline job."""
    books, settings = write_project(folder), PlatformSettings.from_environment()
    source = folder / "loans.csv"
    write(source)
    draft = create_book(BookRequest("my_book", str(source)), books / "my_book", settings, lambda _: None)
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    for name in [name for name in sys.modules if name.partition(".")[0] == "anyone"]:
        monkeypatch.delitem(sys.modules, name)
    job = location(books.parent).resolve_job_def("my_book_pipeline")
    with dg.DagsterInstance.ephemeral() as instance:
        assert job.execute_in_process(instance=instance).success
    return draft, read_book(books / "my_book", "my_book"), settings


def check_scored(settings: PlatformSettings, rows: int) -> None:
    champion = Ledger(settings.ledger_url).champion("my_book")
    assert champion is not None
    assert champion.version == 1
    files = sorted((settings.lake / "my_book" / "predictions").rglob("part-0.parquet"))
    predictions = pl.concat([pl.read_parquet(file) for file in files])
    assert predictions.height == rows
    assert predictions["probability"].is_between(0, 1, closed="none").all()


@pytest.mark.slow
def test_a_german_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draft, book, settings = run(tmp_path, write_german, monkeypatch)
    check_scored(settings, 3_000)
    contract = book.contract
    assert (contract.entity_key, contract.event_date) == ("vertrag_nr", "antragsdatum")
    assert book.split.kind == "out_of_time"
    assert contract.by_name["kreditbetrag_eur"].decimal == ","
    assert contract.by_name["antragsdatum"].date_format == "%d.%m.%Y"
    assert contract.by_name["zinssatz_pct"].type == "percent"
    assert contract.by_name["laufzeit_monate"].unit == "months"
    assert contract.by_name["geschlecht"].protected
    assert {j.column.name for j in draft.judged if j.leak} == {"inkasso_erloes", "rueckstand_nach_auszahlung"}
    assert [item.label for item in draft.left_out] == ["Bemerkung"]
    assert {f.name for f in contract.features_for(use_pricing=False)} == {
        *("kreditbetrag_eur", "laufzeit_monate", "nettoeinkommen", "beschaeftigung", "bonitaet")
    }
    raw = pl.read_parquet(settings.lake / "my_book" / "raw_loans" / "part-0.parquet")
    assert "bemerkung" not in raw.columns


@pytest.mark.slow
def test_a_wide_file_of_rare_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draft, book, settings = run(tmp_path, write_wide, monkeypatch)
    check_scored(settings, 8_000)
    assert book.contract.entity_key == "accountid"
    assert book.contract.event_date is None
    assert (book.split.kind, book.partitions.every) == ("hash", "none")
    assert (draft.counts.defaults, draft.counts.repaid) == (80, 7_920)
    flag = 'TRY_CAST(trim("bad_flag") AS DOUBLE)'
    assert (
        draft.target.sql
        == f"CASE WHEN {flag} = 1 THEN 1 WHEN {flag} = 0 THEN 0 WHEN trim(\"bad_flag\") <> '' THEN -1 END"
    )
    assert len(book.contract.features) >= 58

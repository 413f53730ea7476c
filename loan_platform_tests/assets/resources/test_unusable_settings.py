"""An unusable setting fails the assets that need it, and no other."""

from pathlib import Path

import dagster as dg
import pytest

from loan_platform.assets.loan_portfolio import location
from loan_platform.assets.resources.configured import platform_resources
from loan_platform.assets.resources.lake import LakeResource
from loan_platform.assets.resources.promotion_ledger import LedgerResource
from loan_platform.assets.resources.service_records import ServiceRecordsResource
from loan_platform.assets.resources.warehouse import WarehouseResource
from loan_platform.core.checking.book_check import load_book
from loan_platform.settings.platform import TrackingSettings
from loan_platform_tests.support.books import write_project

# Of the asset graph only `stored` needs none of them.
UNUSABLE = {
    "LOAN_AUDIT_INPUTS": "some",
    "LOAN_AUDIT_KEEP_DAYS": "-1",
    "LOAN_KEYS": "~nobody_has_this_name/keys.json",
    "LOAN_WORKERS": "0",
    "LOAN_MEMORY_LIMIT": "1MB",
    "LOAN_LEDGER_URL": "mysql://user:hidden@host/db",
    "LOAN_AUDIT_KEY": "~nobody_has_this_name/audit.key",
}
SENTENCES = {
    "staged": "LOAN_MEMORY_LIMIT is '1MB'. Accepted: 256MiB or more",
    "decided": "LOAN_LEDGER_URL has a value that cannot be used. Accepted: sqlite:///<file>",
    "served": "~nobody_has_this_name is no user of this machine. Write the whole path. Accepted: the path of a file.",
}


@pytest.fixture
def unusable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")  # its database takes seconds to set up
    for name, value in UNUSABLE.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("unusable")
def test_the_code_location_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    loaded = location(write_project(tmp_path) / "small_bank")
    assert "car_loans_pipeline" in {job.name for job in loaded.resolve_all_job_defs()}


@pytest.mark.usefixtures("unusable")
def test_only_the_assets_that_need_a_setting_fail_and_tell_it(tmp_path: Path) -> None:
    book = load_book(write_project(tmp_path) / "small_bank" / "defs" / "car_loans")

    @dg.asset
    def stored(lake: LakeResource) -> None:
        lake.open()

    @dg.asset
    def staged(warehouse: WarehouseResource) -> None:
        warehouse.open()

    @dg.asset
    def decided(ledger: LedgerResource) -> None:
        ledger.champion(book)

    @dg.asset
    def served(service_records: ServiceRecordsResource) -> None:
        service_records.open(book)

    resources = platform_resources(TrackingSettings.from_environment())
    done = dg.materialize([stored, staged, decided, served], resources=resources, raise_on_error=False)
    told = {
        event.step_key: str(event.step_failure_data.error)
        for event in done.filter_events(lambda event: event.is_step_failure)
    }
    assert told.keys() == SENTENCES.keys()
    for asset, sentence in SENTENCES.items():
        assert sentence in told[asset]
    assert "hidden" not in told["decided"]


def test_a_usable_setting_reaches_its_resource(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("LOAN_THREADS", "3")
    monkeypatch.setenv("LOAN_MEMORY_LIMIT", "300MiB")
    monkeypatch.setenv("LOAN_LEDGER_URL", f"sqlite:///{tmp_path}/elsewhere.db")
    found: list[object] = []

    @dg.asset
    def used(warehouse: WarehouseResource, ledger: LedgerResource) -> None:
        with warehouse.open()._session.connection((), ()) as (connection, _):
            found.extend(connection.sql("SELECT current_setting('threads')").fetchall()[0])
        assert ledger.open().history() == []

    assert dg.materialize([used], resources=platform_resources(TrackingSettings.from_environment())).success
    assert found == [3]
    assert (tmp_path / "elsewhere.db").is_file()

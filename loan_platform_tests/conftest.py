"""Every test has a platform home of its own and no telemetry."""

import os
from collections.abc import Generator
from pathlib import Path

import pytest

from loan_platform.settings.private_files import keep_files_private
from loan_platform.settings.quiet import quiet_environment
from loan_platform_tests.support.allowed_skips import is_allowed
from loan_platform_tests.support.attack_table import attack_of
from loan_platform_tests.support.paths import REPOSITORY

quiet_environment()
keep_files_private()

BOOKS = tuple(f"{path.parent.name.upper()}_" for path in REPOSITORY.glob("loan_platform/defs/*/defs.yaml"))
TESTS = Path(__file__).parent
# By measured time, longest first; `pytest --durations=60` shows when another file belongs here.
LONGEST_FILES = (
    "graph/test_lending_club.py",
    "graph/test_books.py",
    "graph/test_real_books.py",
    "graph/test_refused_rows.py",
    "graph/test_year_of_files.py",
    "graph/test_real_files.py",
    "adapters/ledger/test_ledger.py",
    "service/batch/test_batch_faults.py",
    "service/test_faults.py",
    "graph/test_own_book.py",
    "service/model/test_records.py",
    "service/batch/test_job_records.py",
    "service/test_bento.py",
    "service/batch/test_raw_columns.py",
    "adapters/drafting/test_real_books.py",
    "adapters/storage/test_lake.py",
    "service/openapi/test_document.py",
    "graph/test_pipeline.py",
    "graph/test_file_layouts.py",
    "assets/ingestion/test_publication.py",
    "adapters/warehouse/test_value_alone.py",
    "service/model/test_champion.py",
    "service/batch/test_batch_odd.py",
    "adapters/drafting/test_any_book.py",
    "adapters/warehouse/test_any_file.py",
    "adapters/drafting/test_commands.py",
    "cli/test_commands.py",
    "cli/test_check_command.py",
    "cli/test_score_command.py",
    "service/http/test_row_rules.py",
    "adapters/warehouse/test_warehouse.py",
    "graph/test_offline.py",
    "service/pages/test_page.py",
    "adapters/platform/test_home.py",
)

# Each runs a book's whole jobs, builds Bentos or starts the service for single tests. Half of the suite's time.
END_TO_END = (
    "adapters/drafting/test_commands.py",
    "adapters/platform/test_home.py",
    "cli/test_commands.py",
    "graph/",
    "service/batch/test_job_records.py",
    "service/http/test_rate_limit.py",
    "service/model/test_champion.py",
    "service/model/test_records.py",
    "service/pages/test_page",
    "service/telemetry/test_drift_online.py",
    "service/telemetry/test_traces.py",
    "service/test_bento.py",
)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes are no name: packed ones may hold the time, and parallel workers must collect the same tests."""
    return argname if isinstance(val, bytes) else None


@pytest.hookimpl(tryfirst=True)  # before pytest selects by marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take longest come first, so that parallel processes end at about the same time.

    Marks of attacks are checked here, because only `make attack` reads them.
    """
    rank = {name: at for at, name in enumerate(LONGEST_FILES)}
    for item in items:
        attack_of(item)
        if item.path.relative_to(TESTS).as_posix().startswith(END_TO_END):
            item.add_marker("end_to_end")
    items.sort(key=lambda item: rank.get(item.path.relative_to(TESTS).as_posix(), len(rank)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI (LOAN_CI=1) a skipped test fails, unless `support/allowed_skips.py` lists its reason."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("LOAN_CI") == "1":
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not is_allowed(reason):
            report.outcome = "failed"
            report.longrepr = f"{reason}\nIn CI this skip is a failure: support/allowed_skips.py does not list it."
    return report


@pytest.fixture(autouse=True)
def _own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(BOOKS)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LOAN_PLATFORM_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)


@pytest.fixture(scope="session")
def loan_data() -> Path:
    """The folder of public loan files; tests on it are skipped where it is absent."""
    folder = Path(os.environ.get("LOAN_DATA", REPOSITORY.parent / "shared" / "data"))
    if not (folder / "lendingclub").is_dir():
        pytest.skip(f"no loan data at {folder}: set LOAN_DATA to the folder of public loan files")
    return folder

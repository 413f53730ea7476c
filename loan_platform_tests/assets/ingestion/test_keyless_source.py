"""A linked source without a key: each file replaces the one before, and rows go only where the run says so."""

from collections.abc import Callable

import dagster as dg
import pytest

from loan_platform.adapters.platform.home import ensure_home
from loan_platform.adapters.storage.lake import Lake
from loan_platform.adapters.warehouse.warehouse import Warehouse
from loan_platform.assets.ingestion.linked_sources import cleaned_sources
from loan_platform.assets.ingestion.staging import source_table
from loan_platform.assets.resources.configured import platform_resources
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.settings.platform import PlatformSettings
from loan_platform_tests.support.small_books.linked_cars import ATTRIBUTES, CONTRACT, NAME

PEOPLE = [f"P{number},2024-01-01,{1000 + number}" for number in range(40)]
UNREADABLE = ["P0,soon,1000", *PEOPLE[1:]]
Arrive = Callable[..., dict[str, str]]


@pytest.fixture
def arrive() -> Arrive:
    """Clean a file of people. Returns the failed checks of the run, and what they say."""
    settings, book = PlatformSettings.from_environment(), keyless()
    ensure_home(settings)
    source = next(table for table in book.contract.tables if table.name == "people")
    (clean,) = [asset for asset in cleaned_sources(book) if dg.AssetKey([book.name, "clean_people"]) in asset.keys]
    lake, file, names = Lake(settings.lake), settings.home / "people.csv", ("raw_people", "raw_people_rejects")

    def run(people: list[str], **config: bool) -> dict[str, str]:
        file.write_text("\n".join(["person,stated,salary", *people]) + "\n")
        with lake.publish_together(book.name, names) as out:
            table, policy = source_table(book, source), book.sources["people"]
            Warehouse().read_raw([file], table, policy, *(out[name] for name in names))
        ops = {"ops": {f"{book.name}__clean_people": {"config": config}}}
        resources = platform_resources(settings)
        result = dg.materialize([clean], resources=resources, run_config=ops, raise_on_error=False)
        checks = result.get_asset_check_evaluations()
        assert result.success == all(check.passed for check in checks)
        return {check.check_name: str(check.description) for check in checks if not check.passed}

    return run


def keyless() -> Portfolio:
    """The book, where people have no key and no rule."""
    loans, people = CONTRACT["tables"]
    columns = [{name: value for name, value in c.items() if name != "max_missing"} for c in people["columns"]]
    people = {name: value for name, value in people.items() if name != "key"} | {"columns": columns}
    return Portfolio.model_validate({"name": NAME, "contract": CONTRACT | {"tables": [loans, people]}, **ATTRIBUTES})


def test_rows_go_only_where_the_run_says_so(arrive: Arrive) -> None:
    assert arrive(PEOPLE) == {}
    told = arrive(UNREADABLE)["no_rows_lost"]
    assert told.startswith(
        "40 rows were published, and 39 rows of the files are accepted. 1 rows of the files are quar"
    )
    assert "Correct the quarantined rows." in told
    assert "`replace: true` and `ignore_quarantined: true` for linked_cars__clean_people" in told
    assert set(arrive(UNREADABLE, replace=True)) == {"no_rows_lost"}
    assert arrive(UNREADABLE, replace=True, ignore_quarantined=True) == {}
    told = arrive(PEOPLE[2:])["no_rows_lost"]
    assert told.startswith("39 rows were published, and 38 rows of the files are accepted. The rows have no key")

"""Words on loans add up over files by the source's rule; what changed, and what breaks the rule, is told."""

from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from loan_platform.adapters.platform.home import ensure_home
from loan_platform.adapters.storage.lake import Lake
from loan_platform.assets.monitoring.outcomes import NAMES, outcome_assets
from loan_platform.assets.resources.configured import platform_resources
from loan_platform.core.book.policies import Source
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.settings.platform import PlatformSettings
from loan_platform_tests.support.books import car_loans

KEYS = [f"L{number:03}" for number in range(40)]


class Outcomes:
    """The asset of a small book, and the file that each run finds."""

    def __init__(self, rule: str) -> None:
        self.settings = PlatformSettings.from_environment()
        ensure_home(self.settings)
        self.path = self.settings.home / "outcomes.csv"
        source = Source.model_validate({"path": str(self.path), "same_key": rule})
        self.book: Portfolio = car_loans().model_copy(update={"sources": {**car_loans().sources, "outcomes": source}})

    def arrive(self, words: list[tuple[str, str]] | None, **config: Any) -> dg.ExecuteInProcessResult:
        """Run the asset with a file of these words, or with none."""
        self.path.unlink(missing_ok=True)
        if words is not None:
            lines = [f"{key};{word}" for key, word in words]
            self.path.write_text("\n".join(["Contract No.;Paid back", *lines]) + "\n")
        ops = {f"{self.book.name}__outcomes": {"config": config}}
        resources = platform_resources(self.settings)
        return dg.materialize(
            outcome_assets(self.book), resources=resources, run_config={"ops": ops}, raise_on_error=False
        )

    def rows(self, name: str) -> pl.DataFrame:
        return Lake(self.settings.lake).read(self.book.name, name)


def told(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    """The checks that failed."""
    found = result.get_asset_check_evaluations()
    return {check.check_name: str(check.description) for check in found if not check.passed}


def nothing_lost(result: dg.ExecuteInProcessResult) -> str:
    """What the check says that passes."""
    (found,) = (check for check in result.get_asset_check_evaluations() if check.check_name == "no_rows_lost")
    assert found.passed
    return str(found.description)


def all_of(word: str) -> list[tuple[str, str]]:
    return [(key, word) for key in KEYS]


def test_two_words_on_a_loan_are_refused_where_the_book_says_so() -> None:
    outcomes = Outcomes("refuse")
    assert told(outcomes.arrive([*all_of("yes"), (KEYS[0], "yes")])) == {}  # the same word twice
    refused = outcomes.arrive([*all_of("yes"), (KEYS[0], "no")])
    assert not refused.success
    assert told(refused)["one_row_per_key"] == "1 rows have the key of another row with other values."
    assert not outcomes.arrive([(KEYS[1], "no")]).success  # also in a later file
    assert outcomes.rows("outcomes")["target"].sum() == 0


@pytest.mark.parametrize(
    ("rule", "defaults", "text"), [("latest", 1, "The last word on a loan counts."), ("first", 0, "The first word")]
)
def test_a_repaid_loan_that_defaults_is_told_by_its_name(rule: str, defaults: int, text: str) -> None:
    outcomes = Outcomes(rule)
    assert told(outcomes.arrive(all_of("yes"))) == {}
    changed = told(outcomes.arrive([(KEYS[0], "no")]))["no_reversal"]
    assert "cured: 0, defaulted after all: 1, not known any more: 0" in changed
    assert text in changed
    assert outcomes.rows("outcomes")["target"].sum() == defaults


def test_each_change_of_the_same_line_is_told() -> None:
    outcomes = Outcomes("latest")
    outcomes.arrive(all_of("yes"))
    for word, kind in (("no", "defaulted after all: 1"), ("yes", "cured: 1"), ("no", "defaulted after all: 1")):
        assert kind in told(outcomes.arrive([(KEYS[0], word)]))["no_reversal"]
    assert outcomes.rows("replaced_outcomes").height == 3


def test_without_a_file_the_known_outcomes_are_told() -> None:
    outcomes = Outcomes("latest")
    outcomes.arrive(all_of("yes"))
    result = outcomes.arrive(None)
    assert result.success
    rows = {
        event.asset_key.path[-1]: event.materialization.metadata["dagster/row_count"].value
        for event in result.get_asset_materialization_events()
        if event.asset_key
    }
    assert rows == dict(zip(NAMES, (40, 0, 0), strict=True))
    assert outcomes.rows("outcomes").height == 40


def test_outcomes_go_only_where_the_run_says_so(tmp_path: Path) -> None:
    outcomes = Outcomes("latest")
    outcomes.arrive(all_of("yes"))
    assert nothing_lost(outcomes.arrive(all_of("yes")[:30])) == "No row is lost."
    assert outcomes.rows("outcomes").height == 40
    removed = outcomes.arrive(all_of("yes")[:30], replace=True)
    assert nothing_lost(removed) == "10 rows were removed, as the run was told."
    assert outcomes.rows("outcomes").height == 30
    assert outcomes.rows("replaced_outcomes")["replaced_by_file"].null_count() == 10

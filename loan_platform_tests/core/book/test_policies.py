"""What the sources of a portfolio may state."""

import pytest
from pydantic import ValidationError

from loan_platform.cli.books import SHIPPED
from loan_platform.core.book.policies import Policies
from loan_platform.core.book.portfolio import portfolio_issues
from loan_platform.core.checking.book_check import load_book


@pytest.mark.parametrize("form", ["weeks", "%d.%m", "%Y-%q", "%"])
def test_the_date_that_says_which_row_is_the_latest_has_a_format(form: str) -> None:
    latest = {"path": "-", "latest_by": {"column": "as_of", "date_format": form}}
    with pytest.raises(ValidationError, match=r"date_format.*(is no part of a date|needs a year)"):
        Policies.model_validate({"sources": {"loans": {"path": "-"}, "applications": latest}})


@pytest.mark.parametrize("form", [None, "%d.%m.%Y", "excel_days"])
def test_the_formats_of_columns_are_formats_of_that_date(form: str | None) -> None:
    latest = {"path": "-", "latest_by": {"column": "as_of", "date_format": form}}
    found = Policies.model_validate({"sources": {"loans": {"path": "-"}, "applications": latest}})
    assert (by := found.sources["applications"].latest_by) is not None
    assert by.date_format == form


def test_a_split_by_a_hash_has_no_months_that_mature() -> None:
    book = load_book(SHIPPED / "lending_club")
    name = book.contract.features_for(book.training.use_pricing)[0].name
    for kind, expected in (("out_of_time", []), ("hash", [("split.mature_by", "not_used")])):
        split = book.split.model_copy(update={"kind": kind, "mature_by": name})
        issues = portfolio_issues(book.model_copy(update={"split": split}), book.contract)
        assert [(issue.path, issue.code) for issue in issues] == expected

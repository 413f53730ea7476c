"""What the sources of a portfolio may state."""

import pytest
from pydantic import ValidationError

from loan_platform.core.book.policies import Policies


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

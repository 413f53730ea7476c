"""Applications as JSON values: typed by the contract, refused field by field, never with a value."""

import sys
from datetime import date
from typing import Any

import polars as pl
import pytest

from loan_platform.core.applications.reader import ApplicationError, ApplicationReader
from loan_platform.core.book.contract import Contract
from loan_platform.core.scoring.scoring_model import ScoringModel
from loan_platform_tests.support.bundles import ranged_model, scoring_model, typed_rows
from loan_platform_tests.support.lending import contract, trained

MODEL = scoring_model()
READER = ApplicationReader(MODEL)


def problems(values: dict[str, Any], reader: ApplicationReader = READER) -> dict[str, str]:
    with pytest.raises(ApplicationError) as refused:
        reader.read(values)
    return {issue.path: issue.code for issue in refused.value.issues}


def bounded(**change: Any) -> ApplicationReader:
    """A reader whose contract says more of its column `region` or `income`."""
    model = scoring_model()
    name = change.pop("name")
    columns = [c.model_copy(update=change) if c.name == name else c for c in model.contract.columns]
    changed: Contract = model.contract.model_copy(update={"columns": tuple(columns)})
    return ApplicationReader(ScoringModel(changed, model.design, model.model, model.calibration, model.policy))


def test_a_row_has_the_types_that_features_read():
    for row, values in zip(typed_rows().iter_slices(1), typed_rows().to_dicts(), strict=True):
        stated = values | {"opened": values["opened"].isoformat() if values["opened"] else None}
        read = READER.read(stated)
        assert read.schema == MODEL.feature_set.schema
        assert MODEL.score(read).equals(MODEL.score(row))


def test_what_is_absent_is_null():
    assert READER.read({"income": 5}).row(0) == (5.0, None, None, None, None, None)
    assert READER.read({"income": 5, "region": None, "loan_id": "a"}).row(0, named=True)["region"] is None
    assert READER.read({"income": 5, "region": " N/A "}).row(0, named=True)["region"] is None


def test_column_names_are_interned_strings():
    for name in READER.schema:
        assert sys.intern(name.encode().decode()) is name


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, {"income": "required"}),
        ({"income": None}, {"income": "required"}),
        ({"income": "5"}, {"income": "wrong_type"}),
        ({"income": True}, {"income": "wrong_type"}),
        ({"income": [1]}, {"income": "wrong_type"}),
        ({"income": float("inf")}, {"income": "wrong_type"}),
        ({"income": 2**53 + 1}, {"income": "out_of_range"}),
        ({"income": 10**400}, {"income": "out_of_range"}),
        ({"income": 1, "term": 36.5}, {"term": "wrong_type"}),
        ({"income": 1, "owner": 1}, {"owner": "wrong_type"}),
        ({"income": 1, "opened": "2015-02-30"}, {"opened": "wrong_type"}),
        ({"income": 1, "opened": "20150228"}, {"opened": "wrong_type"}),
        ({"income": 1, "opened": 20150228}, {"opened": "wrong_type"}),
        ({"income": 1, "opened": "2015-W01-1"}, {"opened": "wrong_type"}),
        ({"income": 1, "opened": "0001-01-01"}, {"opened": "wrong_type"}),
        ({"income": 1, "region": "\ud800"}, {"region": "wrong_type"}),
        ({"income": 1, "region": 7}, {"region": "wrong_type"}),
        ({"income": 1, "region": "é" * 1_001}, {"region": "out_of_range"}),
        ({"income": 1, "loan_id": "k" * 129}, {"loan_id": "out_of_range"}),
        ({"income": 1, "loan_id": 10**200}, {"loan_id": "wrong_type"}),
        ({"income": 1, "defaulted": 1}, {"defaulted": "unknown_field"}),
        (
            {"income": "x", "term": "y", "zzz": 1},
            {"income": "wrong_type", "term": "wrong_type", "zzz": "unknown_field"},
        ),
    ],
)
def test_each_problem_has_its_field_and_code(values: dict[str, Any], expected: dict[str, str]):
    assert problems(values) == expected


@pytest.mark.attack(
    "client", "keys and texts of any length", before="a Parquet file of 21 kB gives an answer of 200 MB"
)
def test_texts_are_as_long_as_the_contract_allows():
    assert READER.read({"income": 1, "loan_id": "k" * 128, "region": f"  {'é' * 1_000}  "}).height == 1
    short = bounded(name="region", max_length=3)
    assert short.read({"income": 1, "region": " abc "}).height == 1
    assert problems({"income": 1, "region": "abcd"}, short) == {"region": "out_of_range"}
    with pytest.raises(ApplicationError) as long_key:
        READER.read_many([{"income": 1, "loan_id": "k" * 129}])
    assert [(issue.path, issue.code) for issue in long_key.value.issues] == [("rows[0].loan_id", "out_of_range")]
    with pytest.raises(ApplicationError) as long_text:
        short.read_many([{"income": 1, "region": "abcd"}])
    assert [(issue.path, issue.code) for issue in long_text.value.issues] == [("rows[0].region", "out_of_range")]


def test_ranges_and_categories_are_those_of_the_contract():
    ranged = bounded(name="income", minimum=100.0, maximum=200.0)
    assert ranged.read({"income": 100}).row(0)[0] == 100
    assert problems({"income": 99.9}, ranged) == problems({"income": 201}, ranged) == {"income": "out_of_range"}
    listed = bounded(name="region", allowed=("north", "Süd Ost"))
    assert listed.read({"income": 1, "region": "  süd   ost "}).row(0, named=True)["region"] == "Süd Ost"
    assert problems({"income": 1, "region": "west"}, listed) == {"region": "not_allowed"}


def test_text_is_trimmed_as_in_files():
    assert READER.read({"income": 5, "region": "  Süd "}).row(0, named=True)["region"] == "Süd"
    assert READER.read_many([{"income": 5, "region": " Süd"}])["region"].to_list() == ["Süd"]


def test_problems_are_at_most_a_hundred_and_guesses_few():
    with pytest.raises(ApplicationError) as refused:
        READER.read({f"incom{i}": 1 for i in range(5_000)})
    assert len(refused.value.issues) == 100
    assert sum("Did you mean 'income'?" in issue.detail for issue in refused.value.issues) == 5


def test_an_unknown_name_is_shown_short_and_printable():
    (issue,) = problems({"income": 1, "a\x00b" + "c" * 500: 1})
    assert issue == "a?b" + "c" * 61


def test_columns_of_the_book_that_no_feature_reads_may_be_stated():
    model = trained().model
    assert {c.name for c in contract().columns} - {c.name for c in model.inputs} == {"loan_id", "rate"}
    reader = ApplicationReader(model)
    assert "rate" not in reader.columns  # the lender's own, not the applicant's
    assert reader.read({"loan_id": "x", "amount": 1000}).columns == [c.name for c in model.inputs]


def test_many_rows_are_read_in_the_forms_of_mlflow():
    frame = READER.read_many([{"income": 1, "extra": "x"}, {"income": True, "opened": "2015-06-30T10:00:00"}])
    assert frame.schema == pl.Schema(MODEL.feature_set.schema)
    assert frame["income"].to_list() == [1.0, 1.0]
    assert frame["opened"].to_list() == [None, date(2015, 6, 30)]


def test_many_rows_keep_the_rules_of_one_row():
    reader = ApplicationReader(ranged_model())
    row = {"income": 1, "term": 36, "region": " North "}
    assert reader.read_many([row])["region"].to_list() == ["north"]
    bad = [row, {**row, "income": -5}, {**row, "term": 6}, {**row, "region": "West"}, {**row, "income": None}]
    with pytest.raises(ApplicationError) as refused:
        reader.read_many(bad)
    assert [(issue.path, issue.code) for issue in refused.value.issues] == [
        ("rows[1].income", "out_of_range"),
        ("rows[2].term", "out_of_range"),
        ("rows[3].region", "not_allowed"),
        ("rows[4].income", "required"),
    ]
    for wrong, values in enumerate(bad[1:], start=1):
        with pytest.raises(ApplicationError) as alone:
            reader.inputs(values)
        assert [issue.code for issue in alone.value.issues] == [refused.value.issues[wrong - 1].code]

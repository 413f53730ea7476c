"""Every public LendingClub layout goes through one contract, without code for any one file."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

import loan_platform
from loan_platform.adapters.warehouse.warehouse import Warehouse
from loan_platform.core.book.contract import Contract
from loan_platform.core.checking.contract_check import load_contract
from loan_platform.core.errors import SourceError
from loan_platform_tests.support.ingest import Ingested, ingest

pytestmark = pytest.mark.real_data

# File: rows, quarantined, bad / resolved, median rate, median utilisation, first and last month of issue.
LAYOUTS = {
    "loanstats_2007_2011.csv.gz": (33_851, 6, 0.14877, 11.97, 48.0, "2007-06", "2011-08"),
    "loanstats_2014_resolved.csv.gz": (30_555, 0, 0.16940, 14.16, 53.3, "2014-01", "2014-08"),
    "loan_2007_2015_sample_a.csv.gz": (22_093, 0, 0.17739, 13.11, 56.8, "2007-06", "2015-09"),
    "loan_2007_2015_sample_b.csv.gz": (7_449, 0, 0.19845, 13.11, 56.6, "2007-06", "2015-09"),
    "accepted_2007_2018Q4_sample.csv.gz": (1_566, 0, 0.20000, 12.74, 49.95, "2007-11", "2018-06"),
    "loanstats_securev1_2014-06_raw_head.csv": (998, 0, 0.00000, 13.98, 57.55, "2014-06", "2014-06"),
}
Read = Callable[[str], Ingested]


@pytest.fixture(scope="module")
def contract() -> Contract:
    return load_contract(Path(loan_platform.__file__).parent / "defs" / "lending_club" / "contract.yaml")


@pytest.fixture(scope="module")
def read(loan_data: Path, contract: Contract, tmp_path_factory: pytest.TempPathFactory) -> Read:
    """Each file is ingested once."""
    done: dict[str, Ingested] = {}

    def one(file: str) -> Ingested:
        if file not in done:
            path = loan_data / "lendingclub" / file
            done[file] = ingest([path], tmp_path_factory.mktemp("out"), contract, warehouse=Warehouse())
        return done[file]

    return one


@pytest.mark.parametrize("file", LAYOUTS)
def test_every_layout_is_read_in_the_same_units(file: str, read: Read) -> None:
    rows, quarantined, rate, interest, utilisation, first, last = LAYOUTS[file]
    done = read(file)
    loans, staged = done.accepted, done.staged
    assert (staged.rows_in, staged.accepted, staged.quarantined) == (rows, rows - quarantined, quarantined)
    assert staged.target_rate == pytest.approx(rate, abs=1e-5)
    assert staged.nulled == {}
    assert loans["int_rate"].median() == pytest.approx(interest)
    assert loans["revol_util"].median() == pytest.approx(utilisation, abs=0.051)
    assert loans.select(pl.col("issue_d").min().dt.strftime("%Y-%m")).item() == first
    assert loans.select(pl.col("issue_d").max().dt.strftime("%Y-%m")).item() == last
    assert set(loans["term"].unique()) == {36, 60}
    assert set(loans["verification_status"].drop_nulls().unique()) == {"Not Verified", "Source Verified", "Verified"}
    assert set(loans["grade"].unique()) == set("ABCDEFG")
    assert loans["emp_length"].drop_nulls().is_between(0, 10).all()
    assert loans["loan_id"].n_unique() == len(loans)


def test_the_header_tells_the_file_of_fractions(read: Read) -> None:
    layouts = {file: read(file).staged.layouts for file in LAYOUTS}
    name = "loanstats_2007_2011.csv.gz"
    assert layouts.pop(name) == ((name, "fractions_2007_2011"),)
    assert set(layouts.values()) == {()}
    assert read(name).accepted["dti"].median() == pytest.approx(13.3, abs=0.1)


def test_dates_of_all_forms(read: Read) -> None:
    head = read("loanstats_securev1_2014-06_raw_head.csv").accepted.row(0, named=True)
    assert (head["issue_d"].isoformat(), head["earliest_cr_line"].isoformat()) == ("2014-06-30", "2006-05-23")
    assert read("accepted_2007_2018Q4_sample.csv.gz").accepted["earliest_cr_line"].null_count() == 0


def test_joint_applications_without_income_are_kept(read: Read) -> None:
    loans = read("accepted_2007_2018Q4_sample.csv.gz").accepted
    joint = loans.filter(pl.col("application_type") == "Joint App")
    assert (len(joint), joint["annual_inc_joint"].null_count()) == (77, 0)
    assert (loans["annual_inc"].min(), loans["dti"].max()) == (0.0, 290.38)


def test_rows_without_income_are_quarantined_with_their_line(read: Read) -> None:
    quarantined = read("loanstats_2007_2011.csv.gz").quarantined
    unsound = "open_accounts_among_all: there are more open credit lines than credit lines ever"
    messages = dict(quarantined["message"].value_counts().rows())
    assert messages == {"annual_inc is required and has no value": 4, unsound: 2}
    assert quarantined["source_line"].is_sorted()


def test_sound_files_keep_the_row_rules(read: Read) -> None:
    """Of 97,512 loans, two have more open credit lines than credit lines; no other rule is broken."""
    staged = [read(file).staged for file in LAYOUTS]
    assert sum(found.by_reason.get("row_rule", 0) for found in staged) == 2
    assert {count for found in staged for count in found.rule_warnings.values()} == {0}


def test_columns_that_a_layout_lacks_are_told(read: Read) -> None:
    assert read("accepted_2007_2018Q4_sample.csv.gz").staged.missing_optional == ()
    missing = read("loan_2007_2015_sample_a.csv.gz").staged.missing_optional
    assert {"fico_range_low", "earliest_cr_line", "installment", "delinq_2yrs"} <= set(missing)
    assert "grade" not in missing


def test_personal_text_is_not_read(read: Read) -> None:
    personal = {"emp_title", "desc", "title", "url", "zip_code", "member_id", "addr_city"}
    for file in LAYOUTS:
        done = read(file)
        assert not personal & {*done.raw.columns, *done.accepted.columns, *done.quarantined.columns}


def test_renamed_columns_are_refused_with_the_closest_names(
    loan_data: Path, contract: Contract, tmp_path: Path
) -> None:
    path = loan_data / "lendingclub" / "loans_full_schema_2018Q1.csv.gz"
    with pytest.raises(SourceError) as caught:
        ingest([path], tmp_path, contract)
    message = str(caught.value)
    assert message.startswith("loans_full_schema_2018Q1.csv.gz: lacks 8 required columns: ")
    pairs = {
        "loan_amnt": "loan_amount",
        "annual_inc": "annual_income",
        "home_ownership": "homeownership",
        "issue_d": "issue_month",
        "purpose": "loan_purpose",
        "dti": "debt_to_income",
    }
    for required, closest in pairs.items():
        assert f"{required} (closest: {closest}" in message
    assert "revol_bal (no similar name)" in message


def test_all_layouts_together(loan_data: Path, contract: Contract, tmp_path: Path) -> None:
    files = [loan_data / "lendingclub" / file for file in LAYOUTS]
    done = ingest(files, tmp_path, contract, warehouse=Warehouse())
    assert done.staged.rows_in == sum(rows for rows, *_ in LAYOUTS.values())
    assert set(done.staged.by_reason) == {"missing_required", "duplicate_key", "row_rule"}
    assert done.staged.layouts == (("loanstats_2007_2011.csv.gz", "fractions_2007_2011"),)
    assert done.accepted["int_rate"].is_between(5, 31).all()

"""Percent or fraction: the contract and the header decide; a file that contradicts them is rejected."""

import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pydantic import ValidationError

import loan_platform
from loan_platform.adapters.sources.sample import read_sample
from loan_platform.adapters.sources.unit_check import sample_unit_issues
from loan_platform.core.book.contract import Contract
from loan_platform.core.book.policies import Source
from loan_platform.core.checking.contract_check import load_contract
from loan_platform.core.errors import SourceError
from loan_platform.core.staging.table import Table
from loan_platform_tests.support.ingest import BOOK, HEADER, Ingested, book, ingest, write

FRACTIONS = {
    "name": "old_system",
    "description": "Files of the old system, which have the column `note`.",
    "header_has": ["note"],
    "columns": [{"name": "rate", "written_as": "fraction"}],
}
NO_NOTE = HEADER.removesuffix(",note")


def rate(**keys: Any) -> Contract:
    return book(columns=[c | keys if c["name"] == "rate" else c for c in BOOK["columns"]])


def rows(rates: list[str], start: int = 0) -> list[str]:
    return [f"{start + i},2015-03-01,1,{value},36,Own,n,good,x" for i, value in enumerate(rates)]


def read(tmp_path: Path, rates: list[str], contract: Contract | None = None) -> Ingested:
    return ingest([write(tmp_path / "a.csv", rows(rates))], tmp_path / "out", contract)


@pytest.mark.parametrize("more", [[], ["12.5"], ["0.9"] * 90, ["44"] * 200])
def test_small_percentages_are_read_alike_in_any_file(tmp_path: Path, more: list[str]) -> None:
    assert read(tmp_path, ["0.85", "0.4", *more]).accepted["rate"].to_list()[:2] == [0.85, 0.4]


def test_a_file_of_fractions_is_rejected_with_evidence(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        read(tmp_path, ["0.11"] * 100 + ["0"] * 50 + ["12%"] * 50 + ["1.5"] * 2)
    assert caught.value.file == "a.csv"
    assert "rate seems to be written as fraction: 100 of 102 values are at most 1" in caught.value.message
    assert "`written_as: fraction`" in caught.value.hint
    assert "layout" in caught.value.hint


def test_a_file_of_percentages_is_rejected_for_fractions(tmp_path: Path) -> None:
    contract = rate(written_as="fraction", maximum=10_000)
    assert read(tmp_path, ["11.22"] * 99, contract).accepted["rate"][0] == 1122.0
    with pytest.raises(SourceError, match="written as percent: 100 of 101 values are above 1"):
        read(tmp_path, ["11.22"] * 100 + ["0.5"], contract)


@pytest.mark.parametrize(
    ("keys", "value"),
    [({"maximum": 10}, "0.5"), ({"written_as": "fraction", "minimum": 100, "maximum": 1000}, "1.5")],
)
def test_a_range_can_say_that_the_values_are_right(tmp_path: Path, keys: dict[str, Any], value: str) -> None:
    assert read(tmp_path, [value] * 200, rate(**keys)).staged.nulled == {}


def test_the_header_decides_the_layout_of_each_file(tmp_path: Path) -> None:
    old = write(tmp_path / "old.csv", rows(["0.1122", "0.5", "0", "12%", "1"]))
    new = write(tmp_path / "new.csv", [r.removesuffix(",x") for r in rows(["11.22", "0.5"], 10)], NO_NOTE)
    done = ingest([old, new], tmp_path / "out", book(layouts=[FRACTIONS]))
    by_file = done.accepted.group_by("source_file", maintain_order=True).agg("rate")
    assert dict(by_file.rows()) == {"new.csv": [11.22, 0.5], "old.csv": [11.22, 50.0, 0.0, 12.0, 100.0]}
    assert done.staged.layouts == (("old.csv", "old_system"),)


def test_a_layout_gives_decimal_sign_and_date_format(tmp_path: Path) -> None:
    changes = [{"name": "income", "decimal": ","}, {"name": "issued", "date_format": "%d.%m.%Y"}]
    contract = book(layouts=[FRACTIONS | {"columns": changes}])
    old = write(tmp_path / "old.csv", ['1,02.03.2015,"1.234,5",11,36,Own,n,good,x'])
    new = write(tmp_path / "new.csv", ["2,2015-03-02,1234.5,11,36,Own,n,good"], NO_NOTE)
    done = ingest([old, new], tmp_path / "out", contract)
    assert done.accepted.select("issued", "income").unique().height == 1


def test_a_layout_is_found_in_the_header_of_parquet(tmp_path: Path) -> None:
    names = HEADER.split(",")
    frame = pl.DataFrame([rows(["0.1122"])[0].split(",")], schema=names, orient="row")
    frame.write_parquet(tmp_path / "a.parquet")
    done = ingest([tmp_path / "a.parquet"], tmp_path / "out", book(layouts=[FRACTIONS]))
    assert done.accepted["rate"].to_list() == [11.22]


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"columns": [{"name": "rat", "written_as": "fraction"}]}, "layouts[0].columns[0].name"),
        ({"columns": [{"name": "income", "written_as": "fraction"}]}, "layouts[0].columns[0].written_as"),
        ({"header_has": ["Note"]}, "layouts[0].header_has[0]"),
    ],
)
def test_wrong_layouts_are_told(change: dict[str, Any], path: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(path)):
        book(layouts=[FRACTIONS | change])


def test_two_loans_with_a_low_dti_are_read_as_one_of_many(tmp_path: Path) -> None:
    contract = load_contract(Path(loan_platform.__file__).parent / "defs" / "lending_club" / "contract.yaml")
    loan = {
        "id": "1", "loan_amnt": "12000", "term": "36 months", "annual_inc": "60000", "home_ownership": "RENT",
        "issue_d": "Oct-2018", "purpose": "car", "verification_status": "Verified", "revol_bal": "100",
        "revol_util": "0.9", "dti": "", "open_acc": "9", "total_acc": "17", "pub_rec": "0", "inq_last_6mths": "0",
        "collections_12_mths_ex_med": "0", "loan_status": "", "acc_now_delinq": "0",
    }  # fmt: skip
    read = {}
    for count in (1, 2, 3):
        loans = [loan | {"id": str(i), "dti": dti} for i, dti in enumerate(["0.85", "0.4", "18.2"][:count])]
        pl.DataFrame(loans).write_csv(tmp_path / "a.csv")
        done = ingest([tmp_path / "a.csv"], tmp_path / "out", contract)
        read[count] = done.accepted.select("dti", "revol_util").rows()
    assert read == {count: [(0.85, 0.9), (0.4, 0.9), (18.2, 0.9)][:count] for count in (1, 2, 3)}


@pytest.mark.parametrize("name", ["interest", "coupon"])
def test_a_rate_with_several_names_is_read(tmp_path: Path, name: str) -> None:
    header = HEADER.replace("rate", name)
    path = write(tmp_path / "a.csv", rows(["11.22"]), header)
    assert ingest([path], tmp_path / "out", rate(sources=["interest", "coupon"])).accepted["rate"].to_list() == [11.22]
    fractions = write(tmp_path / "b.csv", rows(["0.11"] * 100), header)
    with pytest.raises(SourceError, match="rate seems to be written as fraction"):
        ingest([fractions], tmp_path / "b", rate(sources=["interest", "coupon"]))


@pytest.mark.parametrize("has", ["rate", "debt ratio"])
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_layout_is_found_by_any_name_of_a_column(tmp_path: Path, has: str, kind: str) -> None:
    layout = FRACTIONS | {"header_has": [has]}
    columns = [c | {"sources": ["rate", "Debt Ratio"]} if c["name"] == "rate" else c for c in BOOK["columns"]]
    contract = book(columns=columns, layouts=[layout])
    path = write(tmp_path / "a.csv", rows(["0.1122"] * 100), HEADER.replace("rate", "Debt Ratio"))
    if kind == "parquet":
        pl.read_csv(path, infer_schema=False).write_parquet(path := path.with_suffix(".parquet"))
    assert ingest([path], tmp_path / "out", contract).accepted["rate"].to_list() == [11.22] * 100
    table = Table.from_contract(contract)
    sample = read_sample(path, table, Source(path="-"), frozenset({"rate"}))
    assert list(sample_unit_issues(table, path.name, sample)) == []

"""A file without a key: every row is a loan of its own, and no two loans share a key."""

from pathlib import Path

import polars as pl
import pytest

from loan_platform.adapters.sources.sql_check import sql_issues
from loan_platform.core.staging.table import Table
from loan_platform_tests.support.ingest import book, ingest, write
from loan_platform_tests.support.own_books import drafted


def people(path: Path, rows: int = 420) -> Path:
    """Pairs of people whose values differ only in which one is missing; each pair stands in the file twice."""
    lines = ["amount,score,cards,mortgages,status"]
    for i in range(rows):
        score, first, bad = 450 + i // 4, i % 2 == 0, i % 3 == 0
        lines.append(f"{5000 + i // 4},{score},{'9,' if first else ',9'},{'defaulted' if bad else 'repaid'}")
    path.write_text("\n".join(lines) + "\n")
    return path


def test_no_row_of_a_file_without_a_key_is_quarantined(tmp_path: Path) -> None:
    source = people(tmp_path / "loans.csv")
    found = drafted(source)
    done = found.staged(source)
    assert (done.staged.quarantined, done.staged.accepted) == (0, 420)
    assert done.accepted[found.contract.entity_key].n_unique() == 420


def test_the_draft_tells_that_outcomes_cannot_be_joined(tmp_path: Path) -> None:
    found = drafted(people(tmp_path / "loans.csv"))
    told = "Outcomes in a second file cannot be joined by"
    assert f"# {told}" in found.text
    assert told in " ".join(found.screen.split())
    assert told in found.draft.key.column.description
    assert list(sql_issues(found.contract)) == []


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "counter", "V1"])
@pytest.mark.parametrize("first", [0, 1])
def test_a_counter_of_rows_is_no_feature_and_no_part_of_the_key(tmp_path: Path, name: str, first: int) -> None:
    source = people(tmp_path / "loans.csv")
    lines = source.read_text().splitlines()
    source.write_text("\n".join([f"{name},{lines[0]}", *(f"{first + i},{line}" for i, line in enumerate(lines[1:]))]))
    found = drafted(source)
    kept = {"loan_id", "amount", "score_value", "cards", "mortgages"}
    assert set(found.contract.by_name) == kept
    assert {feature.name.removesuffix("_missing") for feature in found.contract.features} <= kept
    sql = found.contract.by_name["loan_id"].sql
    assert sql is not None
    assert sql.startswith("""'h' || md5(CAST(json_array("amount", "score", "cards", "mortgages", """)
    assert "counts the rows of the file" in found.text
    assert "is different in every row, but no column is known as the number of a loan" in " ".join(found.screen.split())


@pytest.mark.parametrize("name", ["", "Unnamed: 0"])
def test_an_index_that_lost_rows_or_was_shuffled_is_no_feature(tmp_path: Path, name: str) -> None:
    source = people(tmp_path / "loans.csv")
    lines = source.read_text().splitlines()
    for number in (lambda i: i + i // 3, lambda i: i * 7919 % 420):
        source.write_text("\n".join([f"{name},{lines[0]}", *(f"{number(i)},{x}" for i, x in enumerate(lines[1:]))]))
        text = drafted(source).text
        assert "counts the rows of the file" in text
        (source.parent / f"{source.name}.books").rename(source.parent / f"done{number(5)}")


def test_a_counter_that_begins_anew_in_each_file_is_no_feature(tmp_path: Path) -> None:
    for name in ("a", "b"):
        lines = people(tmp_path / f"{name}.csv").read_text().splitlines()
        numbered = [f"index,{lines[0]}", *(f"{i},{line}" for i, line in enumerate(lines[1:]))]
        (tmp_path / f"{name}.csv").write_text("\n".join(numbered) + "\n")
    found = drafted(tmp_path / "*.csv")
    assert "index" not in found.contract.by_name
    assert '"index"' not in str(found.contract.by_name["loan_id"].sql)
    assert "No column is complete and different in every row" in found.screen


def test_a_counter_called_a_key_is_the_key(tmp_path: Path) -> None:
    source = people(tmp_path / "loans.csv")
    lines = source.read_text().splitlines()
    source.write_text("\n".join([f"index,{lines[0]}", *(f"{i},{line}" for i, line in enumerate(lines[1:]))]) + "\n")
    assert drafted(source).contract.entity_key == "index"


def test_a_unique_column_that_is_no_key_is_told(tmp_path: Path) -> None:
    source = people(tmp_path / "loans.csv")
    lines = source.read_text().splitlines()
    numbered = [f"income,{lines[0]}", *(f"{i * 7919 % 90001},{line}" for i, line in enumerate(lines[1:]))]
    source.write_text("\n".join(numbered) + "\n")
    found = drafted(source)
    assert "'income' is different in every row, but no column is known as the number" in " ".join(found.screen.split())
    assert "income" in {feature.name for feature in found.contract.features}


def test_a_later_file_of_the_same_name_gives_other_keys(tmp_path: Path) -> None:
    source = people(tmp_path / "loans.csv")
    found = drafted(source)
    first = found.staged(source).accepted["loan_id"]
    assert found.staged(source).accepted["loan_id"].to_list() == first.to_list()
    source.write_text(source.read_text().replace("\n5", "\n6"))
    assert not set(found.staged(source).accepted["loan_id"]) & set(first)


def test_a_column_may_read_file_and_line(tmp_path: Path) -> None:
    place = {"name": "number", "description": "Place.", "type": "text", "required": True}
    contract = book(
        columns=[
            {**place, "sql": "source_file || ':' || source_line"},
            *(column.model_dump() for column in book().columns if column.name != "number"),
        ]
    )
    header, row = "issued,income,status,source_line", "2015-03-01,5,bad,77"
    csv = write(tmp_path / "a.csv", [row, row], header)
    done = ingest([csv], tmp_path / "out", contract)
    assert done.accepted["number"].to_list() == ["a.csv:2", "a.csv:3"]
    assert Table.from_contract(contract).missing_required(frozenset({"issued", "income"})) == {}
    assert "source_file" not in done.read.layouts[0].lacks
    pl.DataFrame({"issued": ["2015-03-01"], "income": ["5"], "status": ["bad"]}).write_parquet(tmp_path / "b.parquet")
    assert ingest([tmp_path / "b.parquet"], tmp_path / "out", contract).accepted["number"].to_list() == ["b.parquet:1"]

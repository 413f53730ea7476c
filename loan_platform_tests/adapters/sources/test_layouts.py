"""Columns that a file must have, columns with other names, and files of one source that differ."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from loan_platform.adapters.sources.layouts import FileLayout, layout_differences
from loan_platform.adapters.warehouse.session import DuckDbSession
from loan_platform.adapters.warehouse.warehouse import RawSummary, Warehouse
from loan_platform.core.book.policies import Source
from loan_platform.core.errors import SourceError
from loan_platform.core.staging.table import Table
from loan_platform_tests.support.ingest import BOOK, GOOD, HEADER, book, ingest, write

NUMBER = {**BOOK["columns"][0], "sources": ["id", "Loan No."]}
NAMED = book(columns=[NUMBER, *BOOK["columns"][1:]], target=BOOK["target"] | {"sources": ["status", "State of loan"]})
UCI = ",X1,X2,X3\nID,LIMIT_BAL,AGE,default payment next month\n1,20000,52,0\n2,90000,24,1\n"


def as_parquet(path: Path) -> Path:
    """The same columns and rows as Parquet."""
    out = path.with_suffix(".parquet")
    pl.read_csv(path, infer_schema=False).write_parquet(out)
    path.unlink()
    return out


WRITERS = {"csv": lambda path: path, "parquet": as_parquet}


def read(folder: Path, files: list[Path], **options: Any) -> RawSummary:
    table = Table.from_contract(NAMED, **options)
    warehouse = Warehouse(DuckDbSession(memory_limit="400MB", temp_directory=folder / "scratch"))
    return warehouse.read_raw(files, table, Source(path="-"), folder / "raw.pq", folder / "rejects.pq")


@pytest.fixture(params=WRITERS)
def stored(request: pytest.FixtureRequest) -> Callable[[Path], Path]:
    """Keeps a CSV file as it is, or writes it as Parquet."""
    return WRITERS[request.param]


def test_another_name_of_a_column_is_read(tmp_path: Path, stored: Callable[[Path], Path]) -> None:
    rows = [GOOD.format(id="a"), GOOD.format(id="b").replace("good", "bad")]
    plain = ingest([stored(write(tmp_path / "plain.csv", rows))], tmp_path / "1", NAMED)
    header = HEADER.replace("id", "LOAN NO. ").replace("status", "State of Loan")
    other = ingest([stored(write(tmp_path / "other.csv", rows, header))], tmp_path / "2", NAMED)
    assert other.accepted["target"].to_list() == [0, 1]
    assert other.accepted.drop("source_file").equals(plain.accepted.drop("source_file"))
    assert "id" in other.raw.columns


def test_two_names_of_one_column_are_refused(tmp_path: Path, stored: Callable[[Path], Path]) -> None:
    file = write(tmp_path / "two.csv", [GOOD.format(id="a") + ",b"], f"{HEADER},Loan No.")
    with pytest.raises(
        SourceError, match=r"two\.\w+: has 2 columns that the contract takes for one: 'id', 'loan no\.'"
    ):
        ingest([stored(file)], tmp_path / "out", NAMED)
    assert not (tmp_path / "out" / "raw.parquet").exists()


@pytest.mark.parametrize(
    ("column", "options", "named"),
    [
        ("status", {"needs_target": True}, "target"),
        ("status", {"outcomes": True}, "target"),
        ("id", {"outcomes": True}, "number"),
        ("id", {}, "number"),
        ("income", {"needs_target": True}, "income"),
    ],
)
def test_a_file_without_a_needed_column_is_refused(
    tmp_path: Path, stored: Callable[[Path], Path], column: str, options: dict[str, bool], named: str
) -> None:
    header = HEADER.replace(column, "x", 1)
    file = stored(write(tmp_path / "short.csv", [GOOD.format(id="a")], header))
    with pytest.raises(SourceError, match=rf"short\.\w+: lacks 1 required columns: {named} "):
        read(tmp_path, [file], **options)
    assert not (tmp_path / "raw.pq").exists()


def test_one_file_of_many_without_the_target_refuses_all(tmp_path: Path) -> None:
    good = write(tmp_path / "a.csv", [GOOD.format(id="a")])
    short = write(tmp_path / "b.csv", [GOOD.format(id="b")], HEADER.replace("status", "x"))
    with pytest.raises(SourceError, match=r"b\.csv: lacks 1 required columns: target \(read from status"):
        read(tmp_path, [good, short], needs_target=True)
    assert not (tmp_path / "raw.pq").exists()


def test_applications_need_no_target(tmp_path: Path) -> None:
    file = write(tmp_path / "new.csv", [GOOD.format(id="a")], HEADER.replace("status", "x"))
    assert read(tmp_path, [file]).rows == 1


def test_a_target_needs_all_columns_that_it_reads(tmp_path: Path) -> None:
    sql = "CASE WHEN status = 'bad' OR closed = 'late' THEN 1 WHEN status = 'good' THEN 0 END"
    contract = book(target={"sql": sql, "description": "Bad."})
    table = Table.from_contract(contract, needs_target=True)
    assert table.missing_required(frozenset(HEADER.split(","))) == {"target": frozenset({"closed"})}


def test_files_of_different_layouts_are_told(tmp_path: Path, stored: Callable[[Path], Path]) -> None:
    good = GOOD.format(id="a")
    first = stored(write(tmp_path / "a.csv", [good]))
    short = stored(write(tmp_path / "b.csv", [good.replace("a,", "b,")], HEADER.replace("term", "x")))
    named = stored(write(tmp_path / "c.csv", [good.replace("a,", "c,")], HEADER.replace("id", "Loan No.")))
    found = layout_differences(read(tmp_path, [first, short, named]).layouts)
    assert found == (FileLayout(short.name, ("term",), ()), FileLayout(named.name, (), (("id", "loan no."),)))
    assert [str(layout) for layout in found] == [f"{short.name} lacks 'term'", f"{named.name} calls 'id' 'loan no.'"]


def test_files_of_one_layout_are_not_told(tmp_path: Path) -> None:
    header = HEADER.replace("term", "x").replace("id", "Loan No.")
    files = [write(tmp_path / f"{name}.csv", [GOOD.format(id=name)], header) for name in "ab"]
    layouts = read(tmp_path, files).layouts
    assert layouts[0] == replace(layouts[1], file="a.csv")
    assert layouts[0].lacks == ("term",)
    assert layout_differences(layouts) == layout_differences(()) == ()


def test_the_header_below_a_title_is_found_by_other_names(tmp_path: Path) -> None:
    target = {"sql": '"default.payment.next.month"', "description": "Default."}
    columns = [
        {"name": "client", "type": "text", "description": "Number.", "sources": ["ID", "client"], "required": True},
        {"name": "age", "type": "integer", "description": "Years."},
    ]
    features = [{"name": "age", "sql": "age", "description": "Age.", "reason": "Age."}]
    names = {"sources": ["default.payment.next.month", "default payment next month"]}
    contract = book(entity_key="client", event_date=None, columns=columns, target=target | names, features=features)
    file = tmp_path / "uci.csv"
    file.write_text(UCI)
    assert ingest([file], tmp_path / "out", contract).accepted.select("client", "age", "target").rows() == [
        ("1", 52, 0),
        ("2", 24, 1),
    ]

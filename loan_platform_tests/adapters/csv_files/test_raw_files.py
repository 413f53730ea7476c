"""Files as lenders make them become whole records, each with its place; a file that cannot be used is told so."""

import gzip
from pathlib import Path

import polars as pl
import pytest

from loan_platform.adapters.csv_files.blocks import CHUNK_BYTES
from loan_platform.core.book.policies import Source
from loan_platform.core.errors import SourceError
from loan_platform_tests.support.ingest import GOOD, HEADER, book, ingest, write


def _rows(count: int) -> list[str]:
    return [GOOD.format(id=i) for i in range(count)]


def _bytes(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\r\r\n"])
@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_line_ends_and_byte_order_mark(tmp_path: Path, end: str, start: str) -> None:
    text = start + end.join([HEADER, *_rows(3)])
    done = ingest([_bytes(tmp_path / "a.csv", text.encode())], tmp_path / "out")
    assert done.accepted["source_line"].to_list() == [2, 3, 4]
    assert done.accepted["number"].to_list() == ["0", "1", "2"]


def test_mixed_line_ends_count_as_lines(tmp_path: Path) -> None:
    ends = ["\n", "\r\n", "\r", "\n", "\r\n", "\r"]
    text = "".join(row + end for row, end in zip([HEADER, *_rows(5)], ends, strict=True))
    done = ingest([_bytes(tmp_path / "a.csv", text.encode())], tmp_path / "out")
    assert done.accepted["source_line"].to_list() == [2, 3, 4, 5, 6]


def test_crlf_on_the_border_of_two_chunks_is_one_line_end(tmp_path: Path) -> None:
    head = (HEADER + "\r\n").encode()
    row = (GOOD.format(id=1) + "\r\n").encode()
    fill = row[:-3] + b"x" * (CHUNK_BYTES - len(head) - len(row) - 1000) + b"\r\n"
    first = head + row + fill
    pad = CHUNK_BYTES - len(first) - len(row) + 1
    data = first + row[:-3] + b"y" * (pad + 1) + b"\r\n" + row
    assert data[CHUNK_BYTES - 1 : CHUNK_BYTES + 1] == b"\r\n"
    done = ingest([_bytes(tmp_path / "a.csv", data)], tmp_path / "out")
    assert done.staged.rows_in == 4
    assert done.reasons == [
        (3, "number", "duplicate_key"),
        (4, "number", "duplicate_key"),
        (5, "number", "duplicate_key"),
    ]


@pytest.mark.parametrize("name", ['"internal\nuse"', '"internal\n\nuse",more', 'size 5"'])
def test_a_header_may_end_in_a_name_of_several_lines(tmp_path: Path, name: str) -> None:
    more = "," * name.count(",")
    rows = [f"{GOOD.format(id=i)},a{more}" for i in range(3)]
    done = ingest([write(tmp_path / "a.csv", rows, f"{HEADER},{name}")], tmp_path / "out")
    assert (done.accepted["number"].to_list(), done.reasons) == (["0", "1", "2"], [])


def test_a_value_may_hold_line_ends_quotes_and_delimiters(tmp_path: Path) -> None:
    rows = [
        GOOD.format(id=1),
        '2,2015-03-01,50000,11.5,36,Own,n,good,"said ""no, sir"""',
        '3,2015-03-01,50000,11.5,36,Own,n,good,"first',
        "",
        'last, line"',
        GOOD.format(id=4),
    ]
    done = ingest([write(tmp_path / "a.csv", rows)], tmp_path / "out")
    assert done.accepted.select("number", "source_line").rows() == [("1", 2), ("2", 3), ("3", 4), ("4", 7)]


def test_an_open_quote_costs_one_row_only(tmp_path: Path) -> None:
    rows = _rows(500)
    for i in (3, 250, 499):
        rows[i] = rows[i].replace(",x", ',"x')
    done = ingest([write(tmp_path / "a.csv", rows)], tmp_path / "out")
    assert done.reasons == [(5, None, "structural"), (252, None, "structural"), (501, None, "structural")]
    assert done.staged.accepted == 497


def test_a_quote_closed_on_the_next_line_makes_one_bad_record(tmp_path: Path) -> None:
    rows = [*_rows(2), GOOD.format(id=3).replace(",Own", ',"Own'), '"', GOOD.format(id=4)]
    done = ingest([write(tmp_path / "a.csv", rows)], tmp_path / "out")
    assert done.quarantined.select("source_line", "message").rows() == [(4, "6 fields where the header has 9")]
    assert done.accepted["source_line"].to_list() == [2, 3, 6]


def test_notes_above_the_header_and_a_footer(tmp_path: Path) -> None:
    lines = ["Notes offered by Prospectus, see our site", "", HEADER, *_rows(2), "", "Total amount funded: 7"]
    done = ingest([_bytes(tmp_path / "a.csv", "\n".join(lines).encode())], tmp_path / "out")
    assert done.read.files[0].header_line == 3
    assert done.accepted["source_line"].to_list() == [4, 5]
    assert done.reasons == [(7, None, "structural")]


def test_a_header_cell_with_a_line_break_is_one_name(tmp_path: Path) -> None:
    contract = book(
        columns=[
            {**column.model_dump(), "sql": '"yearly income"'} if column.name == "income" else column.model_dump()
            for column in book().columns
        ]
    )
    header = 'id,issued,"Yearly\nincome",rate,term,home,joint,status,note'
    done = ingest([write(tmp_path / "a.csv", ["title", *_rows(2)], header)], tmp_path / "out", contract)
    assert done.accepted["source_line"].to_list() == [4, 5]
    assert done.accepted["income"].to_list() == [50000.0, 50000.0]
    above = write(tmp_path / "b.csv", _rows(2), f'The "loans\n{header}')
    assert ingest([above], tmp_path / "out", contract).accepted["source_line"].to_list() == [4, 5]


def test_two_returns_on_the_border_of_chunks_are_one_line_end(tmp_path: Path) -> None:
    row = (GOOD.format(id=1) + "\r\r\n").encode()
    head = (HEADER + "\r\r\n").encode()
    for size in (CHUNK_BYTES, CHUNK_BYTES - 1, CHUNK_BYTES - 2):
        fill = row[:-4] + b"x" * (size - len(head) - len(row) + 2) + b"\r\r\n"
        done = ingest([_bytes(tmp_path / "a.csv", head + fill + row)], tmp_path / "out")
        assert [*done.accepted["source_line"], *done.quarantined["source_line"]] == [2, 3]


@pytest.mark.parametrize(
    "data",
    [
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
        b"PK\x03\x04" + bytes(26) + b"[Content_Types].xml" + bytes(600),
    ],
)
def test_an_excel_file_is_told_as_that(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(SourceError, match="is an Excel file: save it as CSV"):
        ingest([_bytes(tmp_path / "loans.csv", data)], tmp_path / "out")


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_other_delimiters_quoted_names_and_blank_names(tmp_path: Path, delimiter: str) -> None:
    header = delimiter.join(["", *(f'" {name.upper()}"' for name in HEADER.split(",")), ""])
    rows = [delimiter.join(["0", *GOOD.format(id=i).split(","), ""]) for i in range(3)]
    done = ingest([write(tmp_path / "a.csv", rows, header)], tmp_path / "out")
    assert done.read.files[0].delimiter == delimiter
    assert done.accepted["number"].to_list() == ["0", "1", "2"]


def test_a_record_that_is_not_utf8_is_quarantined(tmp_path: Path) -> None:
    data = "\n".join([HEADER, *_rows(2)]).encode() + b"\n3,2015-03-01,50000,11.5,36,Own,n,good,caf\xe9\n"
    done = ingest([_bytes(tmp_path / "a.csv", data)], tmp_path / "out")
    assert done.reasons == [(4, None, "structural")]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "is empty"),
        (b"\n\n", "has no header"),
        (HEADER.encode(), "has a header and no rows"),
        ((HEADER + "\n\n\n").encode(), "has a header and no rows"),
        ("\n".join(_rows(5)).encode(), "has no header"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "is a binary file"),
        (bytes(range(1, 256)) * 300, "is a binary file"),
        ("\n".join([HEADER, *_rows(3)]).encode("utf-16"), "is UTF-16"),
        ("\n".join([HEADER, *_rows(3)]).encode("utf-16-le"), "is UTF-16"),
        (b"PK\x03\x04" + b"x" * 100, "packed with zip"),
        (b"PAR1" + b"x" * 100, "no readable Parquet"),
        ((HEADER + ",id\n").encode(), "several columns of the same name: id"),
        ((HEADER + ",caf\xe9\n").encode("latin-1"), "header that is not UTF-8"),
        ((HEADER + ",ID\n").encode(), "several columns of the same name: id"),
        ((HEADER.replace("income", "yearly_income") + "\n").encode(), "income \\(closest: yearly_income"),
        (gzip.compress(b"x" * 1000, mtime=0)[:-9], "cut short"),
        (gzip.compress(b"x" * 1000, mtime=0)[:-8] + bytes(8), "damaged gzip"),
        (b"\x1f\x8b" + b"x" * 100, "damaged gzip"),
        (b"x" * 3_000_000, "has no header"),
        (("\n".join([HEADER] + ["1,2"] * 2998)).encode(), "has 2,9.. of 2,9.. lines that do not fit the header"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_clear_error(tmp_path: Path, data: bytes, problem: str) -> None:
    with pytest.raises(SourceError, match=problem) as caught:
        ingest([_bytes(tmp_path / "a.csv", data)], tmp_path / "out")
    assert caught.value.file == "a.csv"
    assert caught.value.hint


def test_limits_on_rows_and_on_unpacked_bytes(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", _rows(100))
    with pytest.raises(SourceError, match="more than the allowed 99 rows"):
        ingest([path], tmp_path / "out", source=Source(path="-", max_rows=99))
    assert ingest([path], tmp_path / "out", source=Source(path="-", max_rows=100)).staged.accepted == 100
    bomb = _bytes(tmp_path / "bomb.csv.gz", gzip.compress(HEADER.encode() + b"\n1,2,3,4,5,6,7,8,9" * 3_000_000))
    with pytest.raises(SourceError, match="more than the allowed 10,000,000 bytes when unpacked"):
        ingest([bomb], tmp_path / "out", source=Source(path="-", max_bytes=10_000_000))


def test_files_with_different_columns_are_united(tmp_path: Path) -> None:
    short = write(tmp_path / "short.csv", ["1,2015-03-01,5"], "id,issued,income")
    packed = tmp_path / "long.csv.gz"
    packed.write_bytes(gzip.compress("\n".join([HEADER, GOOD.format(id=2)]).encode()))
    done = ingest([short, packed], tmp_path / "out")
    assert done.accepted.select("number", "term", "target", "source_file").rows() == [
        ("2", 36, 0, "long.csv.gz"),
        ("1", None, None, "short.csv"),
    ]
    assert done.staged.missing_optional == ("rate", "term", "home", "joint")
    assert {file.name: file.missing for file in done.read.files}["long.csv.gz"] == ()


def test_files_of_the_same_name_keep_their_folder(tmp_path: Path) -> None:
    files = [write(tmp_path / folder / "loans.csv", [GOOD.format(id=folder)]) for folder in ("b", "a")]
    done = ingest(files, tmp_path / "out")
    assert done.accepted["source_file"].to_list() == ["a/loans.csv", "b/loans.csv"]


def test_parquet_is_read_like_csv(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "id": [1, 2, 3],
            "Issued": pl.Series(["2015-03-01"] * 3).str.to_date(),
            "income": [5.5, float("nan"), 7.0],
            "rate": [0.1, 0.2, 0.3],
            "home": ["Own", "NA", "Rent"],
            "note": ["CANARY"] * 3,
        }
    )
    frame.write_parquet(tmp_path / "[a]*.parquet")
    done = ingest([tmp_path / "[a]*.parquet"], tmp_path / "out")
    assert done.accepted.select("number", "income", "rate", "home", "source_line").rows() == [
        ("1", 5.5, 0.1, "Own", 1),
        ("3", 7.0, 0.3, "Rent", 3),
    ]
    assert done.reasons == [(2, "income", "missing_required")]
    assert "CANARY" not in str(done.raw.rows())

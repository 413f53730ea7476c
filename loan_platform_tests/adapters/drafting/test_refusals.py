"""Input from which no book can be drafted is answered in one paragraph: what, where, what to do."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from loan_platform.adapters.drafting.book_folder import create_book
from loan_platform.adapters.drafting.draft_book import BookRequest
from loan_platform.adapters.sources.labels import source_labels
from loan_platform.core.errors import ExplainedError
from loan_platform.settings.platform import PlatformSettings
from loan_platform_tests.support.own_books import drafted

ROWS = 400


def rows(status: Sequence[str] = ("good", "bad", "good"), count: int = ROWS) -> list[str]:
    return ["id,income,loan_status", *(f"{i},{1000 + 7 * (i % 50)},{status[i % len(status)]}" for i in range(count))]


def refused(
    tmp_path: Path, lines: list[str] | None, name: str = "my_book", target: str | None = None, **more: str
) -> str:
    """What is told; nothing may be left behind."""
    source, books = tmp_path / "loans.csv", tmp_path / "pack" / "defs"
    books.mkdir(parents=True, exist_ok=True)
    if lines is not None:
        source.write_text("\n".join(lines) + "\n")
    before = sorted(tmp_path.rglob("pack/**/*"))
    request = BookRequest(name, str(source), target, more.get("key"))
    with pytest.raises(ExplainedError) as caught:
        create_book(request, books / name, PlatformSettings.from_environment(), lambda _: None)
    assert sorted(tmp_path.rglob("pack/**/*")) == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_same_file_without_a_fault_is_drafted(tmp_path: Path) -> None:
    source, books = tmp_path / "loans.csv", tmp_path / "pack" / "defs"
    source.write_text("\n".join(rows()) + "\n")
    draft = create_book(BookRequest("b", str(source)), books / "b", PlatformSettings.from_environment(), lambda _: None)
    assert (draft.key.column.name, draft.counts.defaults, draft.counts.repaid) == ("id", 133, 267)
    assert sorted(path.name for path in (books / "b").iterdir()) == ["contract.yaml", "defs.yaml"]
    assert [path.name for path in (tmp_path / "pack").iterdir()] == ["defs"]


def test_a_missing_file(tmp_path: Path) -> None:
    assert "loans.csv: does not exist. Check the path" in refused(tmp_path, None)


def test_a_name_that_is_no_identifier(tmp_path: Path) -> None:
    assert "NAME 'Mein Büch-1'" in refused(tmp_path, rows(), name="Mein Büch-1")
    assert "such as 'mein_buech_1'" in refused(tmp_path, rows(), name="Mein Büch-1")


def test_an_existing_folder_is_not_overwritten(tmp_path: Path) -> None:
    book = tmp_path / "pack" / "defs" / "my_book"
    book.mkdir(parents=True)
    (book / "contract.yaml").write_text("mine")
    assert "exists already" in refused(tmp_path, rows())
    assert (book / "contract.yaml").read_text() == "mine"


def test_no_usable_target_lists_candidates(tmp_path: Path) -> None:
    lines = [
        "id,income,colour,state_of_loan",
        *(f"{i},{i * 3},{'red' if i % 2 else 'blue'},{i % 3}" for i in range(ROWS)),
    ]
    told = refused(tmp_path, lines)
    assert (
        "no column's name and values say whether a loan defaulted. Columns that could: 'state_of_loan', 'colour'"
        in told
    )
    assert "TARGET=\"state_of_loan = '...'\"" in told


def test_a_constant_target(tmp_path: Path) -> None:
    assert "the target column 'loan_status' is constant" in refused(tmp_path, rows(["bad"]), target="loan_status")


def test_too_few_of_a_class(tmp_path: Path) -> None:
    lines = rows(["good"])
    lines[1], lines[2] = "0,1000,bad", "1,1001,bad"
    told = refused(tmp_path, lines)
    assert "finds 2 defaulted and 398 repaid loans in 400 rows, and a model needs at least 20 of each" in told


def test_too_few_rows(tmp_path: Path) -> None:
    assert "the file has 100 rows, and a model needs at least 300" in refused(tmp_path, rows(count=100))


def test_a_key_with_duplicates_and_gaps(tmp_path: Path) -> None:
    lines = rows()
    lines[5] = ",1000,bad"
    told = refused(tmp_path, lines, key="ID")
    assert "KEY 'id' does not identify a loan: 1 of 400 rows have no value in it" in told
    told = refused(tmp_path, rows(), key="income")
    assert "KEY 'income' does not identify a loan: 350 of 400 rows repeat the value of an earlier row" in told


def test_a_key_that_is_no_column(tmp_path: Path) -> None:
    assert "KEY names 'incme', which is no column of the file; the closest is 'income'" in refused(
        tmp_path, rows(), key="incme"
    )


def test_a_target_with_five_values(tmp_path: Path) -> None:
    told = refused(tmp_path, rows(["A", "B", "C", "D", "E"]), target="loan_status")
    assert "the target column 'loan_status' has 5 values" in told
    assert "'A' (80), 'B' (80), 'C' (80), 'D' (80), 'E' (80)" in told
    assert "TARGET=\"loan_status in ('...', '...')\"" in told


def test_a_target_with_many_values_shows_none(tmp_path: Path) -> None:
    told = refused(tmp_path, rows(), target="income")
    assert "the target column 'income' has 50 different values" in told
    assert "1007" not in told


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("loan_status = ", "TARGET 'loan_status = ': not an SQL expression"),
        ("loan status = 'bad'", "not an SQL expression"),
        ("income * 2", "SQL of TARGET does not run"),
        ("select 1", "not an SQL expression"),
        ("(select max(income) from loans)", "must be one SQL expression over the columns, not a query"),
        ("'bad'", "reads no column. Text stands in single quotes"),
        (
            "loan_statu = 'bad'",
            "TARGET names 'loan_statu', which is no column of the file; the closest is 'loan_status'",
        ),
        ("try_cast(income AS DOUBLE) * 2", "gives another value than true, false, 1, 0 and null, in 400 of 400 rows"),
        ("loan_status = 1", "another value than true, false, 1, 0 and null, in 400 of 400 rows"),
        ("max(income) > 3", "SQL of TARGET does not run"),
        ("nonsense(income)", "SQL of TARGET does not run"),
    ],
)
def test_a_target_that_cannot_be_used(tmp_path: Path, target: str, told: str) -> None:
    assert told in refused(tmp_path, rows(), target=target)


def test_too_many_columns(tmp_path: Path) -> None:
    names = [f"c{i}" for i in range(2000)]
    told = refused(tmp_path, [",".join(names), *(",".join(["1"] * 2000) for _ in range(3))])
    assert "has 2,000 columns" in told
    assert "at most 500. Keep key, date, outcome" in told


def test_columns_of_the_same_name(tmp_path: Path) -> None:
    lines = rows()
    lines[0] = "id,Income,income"
    assert "has several columns of the same name: income. Rename or remove them." in refused(tmp_path, lines)


def test_a_file_without_a_header_keeps_its_values_to_itself(tmp_path: Path) -> None:
    told = refused(tmp_path, ["17,4711,1", *(f"{i},{i},0" for i in range(ROWS))])
    assert "has no header: its first line holds values" in told
    assert "4711" not in told


def test_files_that_the_reader_refuses(tmp_path: Path) -> None:
    (tmp_path / "loans.csv").touch()
    assert "is empty" in refused(tmp_path, None)
    (tmp_path / "loans.csv").write_bytes("id,loan_status\n1,bad\n".encode("utf-32"))
    assert "is UTF-16 or UTF-32 text" in refused(tmp_path, None)
    (tmp_path / "loans.csv").write_text("just text\nin lines\n")
    assert "has only one column" in refused(tmp_path, None)


def test_nothing_to_learn_from(tmp_path: Path) -> None:
    lines = ["id,last_payment,loan_status", *(f"{i},{i * 3},{'bad' if i % 3 else 'good'}" for i in range(ROWS))]
    assert "no column is left that a model may use. last_payment: its name speaks of what comes after" in refused(
        tmp_path, lines
    )


@pytest.mark.parametrize(("sound", "broken"), [(320, 670), (40, 50), (60, 900)])
def test_a_mostly_broken_file(tmp_path: Path, sound: int, broken: int) -> None:
    lines = [*rows(count=sound), *["1,2,3,4,5,bad"] * broken]
    told = refused(tmp_path, lines)
    assert f"{broken:,} of {sound + broken:,} rows of the file cannot be used ({broken:,}: " in told
    assert "mostly broken. Look at its delimiter and quotes" in told


@pytest.mark.parametrize(("broken", "granted", "more"), [(0, 0.05, False), (25, 0.09, False), (100, 0.1, True)])
def test_a_draft_does_not_open_the_gate_to_its_file(tmp_path: Path, broken: int, granted: float, more: bool) -> None:
    source = tmp_path / "loans.csv"
    source.write_text("\n".join([*rows(), *["1,2,3,4,5,bad"] * broken]) + "\n")
    found = drafted(source)
    policies = (tmp_path / "loans.csv.books" / "defs" / "b" / "defs.yaml").read_text()
    assert yaml.safe_load(policies)["attributes"]["quarantine"]["max_share"] == granted
    screen = " ".join(found.screen.split())
    told = f"{broken} of {400 + broken} rows ({broken / (400 + broken):.1%}) are quarantined: {broken}: "
    assert (told in screen) == (broken > 0)
    assert ("MORE THAN 10%: the pipeline stops until the file is repaired" in screen) == more


def test_columns_that_are_left_out_are_the_reason(tmp_path: Path) -> None:
    lines = ["id,grade,town,note,loan_status"]
    lines += [f"{i},A{i % 5},T{i % 11},{'x' * 45} {i},{'bad' if i % 3 else 'good'}" for i in range(ROWS)]
    told = refused(tmp_path, lines)
    assert "no column is left that a model may use. grade: known only when the price is set; town: a place of" in told
    assert "'note': free text, 400 different values" in told
    lines = ["id,decision_date,year,loan_status"]
    lines += [f"{i},202{i % 3}-0{1 + i % 9}-01,202{i % 3},{'bad' if i % 5 else 'good'}" for i in range(ROWS)]
    assert "a model may use. 'year': repeats the year of the decision. Give a file" in refused(tmp_path, lines)


def test_titles_above_the_header_are_skipped(tmp_path: Path) -> None:
    source, books = tmp_path / "loans.csv", tmp_path / "pack" / "defs"
    source.write_text("\n".join(["Loan report,,", "Created 2026-01-05,,", ",,", *rows()]) + "\n")
    draft = create_book(BookRequest("b", str(source)), books / "b", PlatformSettings.from_environment(), lambda _: None)
    assert (draft.key.column.name, draft.counts.rows) == ("id", ROWS)


def test_a_line_that_looks_like_the_header_is_named(tmp_path: Path) -> None:
    told = refused(tmp_path, ["2026,5,1", *rows()])
    assert "has no header: its first line holds values. Line 2 looks like the header" in told


@pytest.mark.parametrize("number", ["{},", "7,{}"])  # an export with a separator at the end; row names of R
def test_a_header_of_another_width_is_refused(tmp_path: Path, number: str) -> None:
    header, *loans = rows()
    told = refused(tmp_path, [header, *(number.format(line) for line in loans)])
    assert "has a header of 3 fields on line 1, and rows of 4. Give every column a name." in told
    assert loans[0].split(",")[0] not in told.split()


@pytest.mark.parametrize("above", ["Loan tape,Confidential", "Borrower,Loan"])
def test_names_above_the_header_are_a_title(tmp_path: Path, above: str) -> None:
    path = tmp_path / "titled.csv"
    path.write_text("\n".join([above, *rows()]) + "\n")
    assert [*source_labels([path], 10**6)] == rows()[0].split(",")

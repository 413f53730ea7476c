"""A book against DuckDB and its source files: what the contract reads and a file lacks is told, with the line."""

from pathlib import Path

import polars as pl
import pytest

from loan_platform.adapters.sources.book_check import SourceFindings, check_sources
from loan_platform.core.checking.book_check import check_book
from loan_platform_tests.support.books import write_loans
from loan_platform_tests.support.planted import book_in, edited, line_of

HEADER = "Contract No.;Gross Salary;Debts?;Region;Sex;Paid back"


@pytest.fixture
def book(tmp_path: Path) -> Path:
    return book_in(tmp_path)


@pytest.fixture
def loans(tmp_path: Path) -> Path:
    path = tmp_path / "home" / "data" / "car_loans" / "loans.csv"
    write_loans(path, 200)
    return path


def found(book: Path, tmp_path: Path, **overrides: str) -> SourceFindings:
    return check_sources(check_book(book), tmp_path / "home", overrides, "car_loans")


def test_sql_that_duckdb_refuses_is_told_without_any_file(book: Path, tmp_path: Path) -> None:
    text = edited(
        book,
        "contract.yaml",
        ("""sql: '"Gross Salary"'""", """sql: '"Gross Salary" + no_such("Debts?")'"""),
        ("""sql: '"Debts?"'""", """sql: max("Debts?")  # sum"""),
        ("""sql: '"Region"'""", """sql: ln("Region")"""),
        ("CASE \"Paid back\" WHEN 'no' THEN 1 WHEN 'yes' THEN 0 END", 'floor("Paid back", 1, 2)'),
    )
    told = [str(issue) for issue in found(book, tmp_path).issues]
    contract = book / "contract.yaml"
    assert [line.partition(" refuses it: ")[0] for line in told] == [
        f"{contract}:{line_of(text, piece)}: {path}: DuckDB, which runs it,"
        for piece, path in [
            ("no_such", "columns[1].sql"),
            ("# sum", "columns[2].sql"),
            ('ln("Region")', "columns[3].sql"),
            ("floor", "target.sql"),
        ]
    ]
    assert "no_such" in told[0]
    assert told[1].endswith("The SQL sees one raw row; it cannot sum or count others.")
    assert told[2].endswith("Raw values are text: cast them, as in TRY_CAST(amount AS DOUBLE).")


def test_absent_files_are_notes(book: Path, tmp_path: Path) -> None:
    findings = found(book, tmp_path, applications="gs://bank/applications.csv")
    assert findings.issues == []
    assert findings.files == []
    loans, applications = map(str, findings.notes)
    missing = tmp_path / "home" / "data" / "car_loans" / "loans.csv"
    assert loans == (
        f"{book}/defs.yaml:5: attributes.sources.loans.path: {missing} does not exist, so the contract was not held "
        "against it. Check the path, or set CAR_LOANS_LOANS to another one."
    )
    assert applications.startswith(
        f"{book}/defs.yaml:7: attributes.sources.applications.path: the source is in a bucket and was not looked at."
    )


def test_a_file_that_fits(book: Path, tmp_path: Path, loans: Path) -> None:
    findings = found(book, tmp_path)
    assert (findings.issues, findings.files) == ([], ["loans loans.csv"])


def test_the_environment_names_another_file(book: Path, tmp_path: Path) -> None:
    write_loans(tmp_path / "other.csv", 50)
    findings = found(book, tmp_path, loans=str(tmp_path / "other.csv"))
    assert (findings.issues, findings.files) == ([], ["loans other.csv"])


def test_a_required_column_that_the_file_lacks(book: Path, tmp_path: Path, loans: Path) -> None:
    loans.write_text(loans.read_text().replace("Gross Salary", "Gros Salary", 1))
    findings = found(book, tmp_path)
    assert [str(issue) for issue in findings.issues] == [
        f"{book}/contract.yaml:12: columns[1].sql: 'salary' is required, and loans.csv lacks 'gross salary': the file "
        "would be refused. Closest in the file: 'gros salary'."
    ]


def test_an_optional_column_that_the_file_lacks(book: Path, tmp_path: Path, loans: Path) -> None:
    loans.write_text(loans.read_text().replace("Debts?", "Debts ?", 1).replace(";Region;", ";Ort;", 1))
    findings = found(book, tmp_path)
    assert findings.issues == []
    assert [str(note) for note in findings.notes][:2] == [
        f"{book}/contract.yaml:19: columns[2].sql: reads 'debts?', which loans.csv lacks. Did you mean 'debts ?'?",
        f"{book}/contract.yaml:3: columns: loans.csv has nothing for these optional columns, which would be "
        "missing: region.",
    ]


def test_loans_without_outcomes(book: Path, tmp_path: Path, loans: Path) -> None:
    loans.write_text(loans.read_text().replace("Paid back", "Paid bakc", 1))
    (issue,) = found(book, tmp_path).issues
    assert str(issue) == (
        f"{book}/contract.yaml:35: target.sql: reads 'paid back', which loans.csv lacks, so no outcome would be known. "
        "Closest in the file: 'paid bakc'."
    )


def test_applications_need_no_outcome(book: Path, tmp_path: Path, loans: Path) -> None:
    write_loans(loans.with_name("applications.csv"), 50, outcomes=False)
    findings = found(book, tmp_path)
    assert (findings.issues, findings.files) == ([], ["loans loans.csv", "applications applications.csv"])


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("CASE \"Paid back\" WHEN 'nein' THEN 1 WHEN 'yes' THEN 0 END", "the target is 0 (repaid) or null: there is"),
        ("CASE \"Paid back\" WHEN 'no' THEN 1 WHEN 'ja' THEN 0 END", "the target is 1 (default) or null: there is"),
        ("CASE \"Paid back\" WHEN 'nein' THEN 1 WHEN 'ja' THEN 0 END", "the target is null: no outcome is known"),
        ('"Paid back"', "the target is neither 0 nor 1 nor null"),
    ],
)
def test_a_target_that_never_changes(book: Path, tmp_path: Path, loans: Path, sql: str, told: str) -> None:
    edited(book, "contract.yaml", ("CASE \"Paid back\" WHEN 'no' THEN 1 WHEN 'yes' THEN 0 END", ">-\n    " + sql))
    (issue,) = found(book, tmp_path).issues
    assert str(issue).startswith(f"{book}/contract.yaml:35: target.sql: for all of 200 loans {told}")


def test_only_the_first_rows_are_a_note(
    book: Path, tmp_path: Path, loans: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loan_platform.adapters.sources.sample.SAMPLE_ROWS", 100)
    edited(book, "contract.yaml", ("WHEN 'no' THEN 1", "WHEN 'nein' THEN 1"))
    findings = found(book, tmp_path)
    assert findings.issues == []
    assert "for all of the first 100 loans the target is 0 (repaid) or null" in str(findings.notes[0])


def test_parquet_is_held_against_too(book: Path, tmp_path: Path, loans: Path) -> None:
    frame = pl.read_csv(loans, separator=";", infer_schema=False).rename({"Region": "Place"})
    frame.write_parquet(tmp_path / "loans.parquet")
    findings = found(book, tmp_path, loans=str(tmp_path / "loans.parquet"))
    assert (findings.issues, findings.files) == ([], ["loans loans.parquet"])
    assert "loans.parquet has nothing for these optional columns" in str(findings.notes[0])


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("a;b\n1;2\n", "has no header: none of its first 25 lines names a column of the contract"),
        (HEADER + ";Region\n", "has several columns of the same name: region"),
        ("", "is empty"),
    ],
)
def test_a_file_that_cannot_be_read(book: Path, tmp_path: Path, loans: Path, content: str, told: str) -> None:
    loans.write_text(content)
    (issue,) = found(book, tmp_path).issues
    assert str(issue).startswith(f"{book}/defs.yaml:5: attributes.sources.loans.path: {loans} {told}")


def test_a_broken_contract_is_not_held_against_files(book: Path, tmp_path: Path, loans: Path) -> None:
    edited(book, "contract.yaml", ("type: number", "type: nmber"))
    assert found(book, tmp_path).files == []

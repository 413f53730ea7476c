"""A book checked in DuckDB and against its source files: each finding has code, key path and line."""

from pathlib import Path

import polars as pl
import pytest

from loan_platform.adapters.book_check.findings import Findings
from loan_platform.adapters.book_check.sources_check import check_sources
from loan_platform.core.book.training_policies import TrainingPolicy
from loan_platform.core.checking.book_check import check_book
from loan_platform.core.errors import SourceError
from loan_platform_tests.support.books import write_loans
from loan_platform_tests.support.ingest import ingest
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


def found(book: Path, tmp_path: Path, **overrides: str) -> Findings:
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
    issues = found(book, tmp_path).issues
    assert [(issue.file, issue.line, issue.path, issue.code) for issue in issues] == [
        (book / "contract.yaml", line_of(text, piece), path, "sql_does_not_run")
        for piece, path in [
            ("no_such", "columns[1].sql"),
            ("# sum", "columns[2].sql"),
            ('ln("Region")', "columns[3].sql"),
            ("floor", "target.sql"),
        ]
    ]
    assert "no_such" in issues[0].message
    assert "aggregate" in issues[1].hint
    assert "TRY_CAST" in issues[2].hint


def test_absent_files_are_notes(book: Path, tmp_path: Path) -> None:
    findings = found(book, tmp_path, applications="gs://bank/applications.csv")
    assert findings.issues == []
    assert findings.files == []
    loans, applications = findings.notes
    path = "attributes.sources.loans.path"
    assert (loans.file, loans.line, loans.path, loans.code) == (book / "defs.yaml", 5, path, "source_not_found")
    assert str(tmp_path / "home" / "data" / "car_loans" / "loans.csv") in loans.message
    assert "CAR_LOANS_LOANS" in loans.hint
    path = "attributes.sources.applications.path"
    assert (applications.line, applications.path, applications.code) == (7, path, "source_not_checked")


def test_a_file_that_fits(book: Path, tmp_path: Path, loans: Path) -> None:
    findings = found(book, tmp_path)
    assert (findings.issues, findings.files) == ([], ["loans loans.csv"])


def test_features_that_loans_seldom_lack_are_told(book: Path, tmp_path: Path, loans: Path) -> None:
    (note,) = [note for note in found(book, tmp_path).notes if note.code == "seldom_missing"]
    features = check_book(book).contract.contract.features  # type: ignore[union-attr]
    assert note.path == "features"
    assert "200 loans" in note.message
    told = {feature.name for feature in features if f"{feature.name} (average)" in note.message}
    assert told
    frame = pl.read_csv(loans, separator=";", infer_schema_length=0)
    seldom = frame.with_columns(pl.lit("").alias("Region"), pl.lit("").alias("Gross Salary"))
    seldom.write_csv(loans, separator=";")
    later = [note for note in found(book, tmp_path).notes if note.code == "seldom_missing"]
    named = {feature.name for feature in features for note in later if f"{feature.name} (" in note.message}
    assert named < told


def test_few_defaults_need_more_loans_that_lack_a_value(book: Path, tmp_path: Path, loans: Path) -> None:
    frame = pl.read_csv(loans, separator=";", infer_schema_length=0)
    paid = pl.when(pl.int_range(pl.len()) < 10).then(pl.lit("no")).otherwise(pl.lit("yes")).alias("Paid back")
    some = pl.when(pl.int_range(pl.len()) % 4 > 2).then("Region").alias("Region")
    frame.with_columns(paid, some).write_csv(loans, separator=";")
    (note,) = [note for note in found(book, tmp_path).notes if note.code == "seldom_missing"]
    assert "fewer than 200 lack" in note.message
    assert "region (average)" in note.message  # 150 of 200 loans lack it, and 7 or 8 of them default
    policy = TrainingPolicy()
    assert [policy.needed_rows(rate) for rate in (None, 0.0, 0.02, 0.2, 0.98)] == [100, 100, 500, 100, 500]


def test_the_environment_names_another_file(book: Path, tmp_path: Path) -> None:
    write_loans(tmp_path / "other.csv", 50)
    findings = found(book, tmp_path, loans=str(tmp_path / "other.csv"))
    assert (findings.issues, findings.files) == ([], ["loans other.csv"])


def test_a_required_column_that_the_file_lacks(book: Path, tmp_path: Path, loans: Path) -> None:
    loans.write_text(loans.read_text().replace("Gross Salary", "Gros Salary", 1))
    (issue,) = found(book, tmp_path).issues
    assert issue.file == book / "contract.yaml"
    assert (issue.line, issue.path, issue.code) == (12, "columns[1].sql", "required_column_missing")
    assert [name in issue.message for name in ("'salary'", "loans.csv", "'gross salary'")] == [True] * 3
    assert "'gros salary'" in issue.hint


def test_an_optional_column_that_the_file_lacks(book: Path, tmp_path: Path, loans: Path) -> None:
    loans.write_text(loans.read_text().replace("Debts?", "Debts ?", 1).replace(";Region;", ";Ort;", 1))
    findings = found(book, tmp_path)
    assert findings.issues == []
    misspelt, missing = findings.notes[:2]
    assert (misspelt.line, misspelt.path, misspelt.code) == (19, "columns[2].sql", "column_misspelt")
    assert ("'debts?'" in misspelt.message, "'debts ?'" in misspelt.hint) == (True, True)
    assert (missing.line, missing.path, missing.code) == (3, "columns", "optional_columns_missing")
    assert missing.message.endswith(": region")


def test_a_file_that_contradicts_the_unit_of_a_column(book: Path, tmp_path: Path, loans: Path) -> None:
    edited(book, "contract.yaml", ("type: number\n  sql: '\"Debts?\"'", "type: percent\n  sql: '\"Debts?\"'"))
    assert found(book, tmp_path).issues == []
    lines = loans.read_text().splitlines()
    small = [";".join([*row[:2], "0.5", *row[3:]]) for row in (line.split(";") for line in lines[1:])]
    loans.write_text("\n".join([lines[0], *small]) + "\n")
    (issue,) = found(book, tmp_path).issues
    assert (issue.path, issue.code) == ("columns[2].type", "contradicting_unit")
    assert "loans.csv: the column debt seems to be written as fraction: 200 of 200 values" in issue.message


def test_loans_without_outcomes(book: Path, tmp_path: Path, loans: Path) -> None:
    loans.write_text(loans.read_text().replace("Paid back", "Paid bakc", 1))
    (issue,) = found(book, tmp_path).issues
    assert (issue.line, issue.path, issue.code) == (35, "target.sql", "target_columns_missing")
    assert ("'paid back'" in issue.message, "'paid bakc'" in issue.hint) == (True, True)


def test_applications_need_no_outcome(book: Path, tmp_path: Path, loans: Path) -> None:
    write_loans(loans.with_name("applications.csv"), 50, outcomes=False)
    findings = found(book, tmp_path)
    assert (findings.issues, findings.files) == ([], ["loans loans.csv", "applications applications.csv"])


@pytest.mark.parametrize(
    ("sql", "code", "value"),
    [
        ("CASE \"Paid back\" WHEN 'nein' THEN 1 WHEN 'yes' THEN 0 END", "target_constant", "is 0 (repaid) or null"),
        ("CASE \"Paid back\" WHEN 'no' THEN 1 WHEN 'ja' THEN 0 END", "target_constant", "is 1 (default) or null"),
        ("CASE \"Paid back\" WHEN 'nein' THEN 1 WHEN 'ja' THEN 0 END", "target_unusable", "is null"),
        ('"Paid back"', "target_unusable", "is neither 0 nor 1 nor null"),
    ],
)
def test_a_target_that_never_changes(book: Path, tmp_path: Path, loans: Path, sql: str, code: str, value: str) -> None:
    edited(book, "contract.yaml", ("CASE \"Paid back\" WHEN 'no' THEN 1 WHEN 'yes' THEN 0 END", ">-\n    " + sql))
    (issue,) = found(book, tmp_path).issues
    assert (issue.line, issue.path, issue.code) == (35, "target.sql", code)
    assert ("all of 200 loans" in issue.message, value in issue.message) == (True, True)


def test_only_the_first_rows_are_a_note(
    book: Path, tmp_path: Path, loans: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loan_platform.adapters.sources.sample.SAMPLE_ROWS", 100)
    edited(book, "contract.yaml", ("WHEN 'no' THEN 1", "WHEN 'nein' THEN 1"))
    findings = found(book, tmp_path)
    assert findings.issues == []
    assert (findings.notes[0].path, findings.notes[0].code) == ("target.sql", "target_constant")
    assert "the first 100 loans" in findings.notes[0].message


def test_parquet_is_held_against_too(book: Path, tmp_path: Path, loans: Path) -> None:
    frame = pl.read_csv(loans, separator=";", infer_schema=False).rename({"Region": "Place"})
    frame.write_parquet(tmp_path / "loans.parquet")
    findings = found(book, tmp_path, loans=str(tmp_path / "loans.parquet"))
    assert (findings.issues, findings.files) == ([], ["loans loans.parquet"])
    assert (findings.notes[0].path, findings.notes[0].code) == ("columns", "optional_columns_missing")


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
    place = (book / "defs.yaml", 5, "attributes.sources.loans.path", "source_unreadable")
    assert (issue.file, issue.line, issue.path, issue.code) == place
    assert issue.message.startswith(f"{loans} {told}")


def test_a_broken_contract_is_not_held_against_files(book: Path, tmp_path: Path, loans: Path) -> None:
    edited(book, "contract.yaml", ("type: number", "type: nmber"))
    assert found(book, tmp_path).files == []


def test_the_date_of_the_latest_row_must_be_in_the_file(book: Path, tmp_path: Path) -> None:
    write_loans(tmp_path / "home" / "data" / "car_loans" / "applications.csv", 50, outcomes=False)
    latest = "    applications:\n      latest_by: {column: As Of}\n"
    text = edited(book, "defs.yaml", ("    applications:\n", latest))
    (issue,) = found(book, tmp_path).issues
    assert (issue.path, issue.code) == ("attributes.sources.applications.latest_by.column", "missing_column")
    assert issue.line == line_of(text, "As Of")


def test_parquet_files_that_are_none_are_told(book: Path, tmp_path: Path, loans: Path) -> None:
    frame = pl.read_csv(loans, separator=";", infer_schema=False)
    other, broken, twice = (tmp_path / f"{name}.parquet" for name in ("other", "broken", "twice"))
    pl.DataFrame({"amount": [1, 2]}).write_parquet(other)
    issues = found(book, tmp_path, loans=str(other)).issues
    assert {issue.code for issue in issues} == {"required_column_missing", "target_columns_missing"}
    frame.write_parquet(broken)
    content = bytearray(broken.read_bytes())
    content[8:2000] = bytes(1992)
    broken.write_bytes(content)
    (issue,) = found(book, tmp_path, loans=str(broken)).issues
    assert (issue.code, "is no readable Parquet file" in issue.message) == ("source_unreadable", True)
    checked = check_book(book)
    assert checked.contract.contract is not None
    with pytest.raises(SourceError, match=r"broken\.parquet: is no readable Parquet file"):
        ingest([broken], tmp_path / "out", checked.contract.contract)
    frame.with_columns(pl.lit("x").alias("Region"), pl.lit("y").alias(" region")).write_parquet(twice)
    (issue,) = found(book, tmp_path, loans=str(twice)).issues
    assert "several columns of the same name: region" in issue.message


def test_a_free_text_of_numbers_is_told(book: Path, tmp_path: Path, loans: Path) -> None:
    path = tmp_path / "loans.parquet"
    codes = [pl.lit(1.0).alias("Sex"), pl.lit(1).alias("Contract No.") + pl.int_range(pl.len())]
    pl.read_csv(loans, separator=";", infer_schema=False).with_columns(codes).write_parquet(path)
    (note,) = [note for note in found(book, tmp_path, loans=str(path)).notes if note.code == "text_of_numbers"]
    assert (note.path, "loans.parquet" in note.message) == ("columns[4].type", True)

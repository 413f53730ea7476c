"""Numbers of a Parquet file: the same values, missing values and categories as in CSV."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import duckdb
import polars as pl
import pytest

from loan_platform.adapters.sources.sample import read_sample
from loan_platform.adapters.warehouse.row_content import retyped_sql
from loan_platform.core.book.contract import Contract
from loan_platform.core.book.parts.columns import Column, Target
from loan_platform.core.book.policies import Source
from loan_platform.core.errors import SourceError
from loan_platform.core.staging.number_spellings import number_spellings
from loan_platform.core.staging.table import Table
from loan_platform_tests.support.ingest import ingest
from loan_platform_tests.support.small_books.linked import BOOK as LINKED
from loan_platform_tests.support.small_books.linked import column as linked_column

BOOK = Contract.model_validate(
    {
        "description": "Numbers with a text that means missing.",
        "entity_key": "id",
        "missing": ["-999", "-1.50"],
        "columns": [
            {"name": "id", "type": "text", "description": "Key.", "required": True},
            {"name": "income", "type": "number", "description": "Income."},
            {"name": "comma", "type": "number", "decimal": ",", "description": "Income."},
            {"name": "points", "type": "integer", "description": "Points."},
            {"name": "term", "type": "text", "allowed": ["36", "60"], "on_invalid": "null", "description": "Term."},
        ],
        "target": {"sql": "status", "description": "Default."},
        "features": [{"name": "f", "sql": "income", "description": "Income.", "reason": "Income."}],
    }
)
CSV = "id;income;comma;points;term;status\na;-999;-999;-999;36;0\nb;50.5;50,5;5;60;1\nc;-1.50;0,00001;6;;0\n"
ROWS = [("a", None, None, None, "36"), ("b", 50.5, 50.5, 5, "60"), ("c", None, 0.00001, 6, None)]
INCOME = [-999.0, 50.5, -1.5]
DECIMALS = pl.Series([Decimal(str(value)) for value in INCOME], dtype=pl.Decimal(10, 2))


@pytest.mark.parametrize("income", [pl.Series(INCOME), pl.Series(INCOME, dtype=pl.Float32), DECIMALS])
def test_a_number_of_parquet_is_the_number_of_csv(tmp_path: Path, income: pl.Series) -> None:
    path = tmp_path / "a.parquet"
    rest = {"comma": [-999.0, 50.5, 0.00001], "points": [-999.0, 5.0, 6.0], "term": [36.0, 60.0, None]}
    pl.DataFrame({"id": ["a", "b", "c"], "income": income, **rest, "status": [0, 1, 0]}).write_parquet(path)
    (tmp_path / "a.csv").write_text(CSV)
    for file in (tmp_path / "a.csv", path):
        done = ingest([file], tmp_path / f"{file.name} out", BOOK)
        assert done.accepted.select("id", "income", "comma", "points", "term").rows() == ROWS, done.reasons
    source, wanted = Source(path=path.name), frozenset({"income", "term"})
    sample = read_sample(path, Table.from_contract(BOOK), source, wanted).rows
    half = "50.50" if isinstance(income.dtype, pl.Decimal) else "50.5"  # as a database writes it
    assert sample.select(sorted(wanted)).rows() == [(None, "36"), (half, "60"), (None, None)]


def book(target: str = "status", **score: object) -> Contract:
    return BOOK.model_copy(
        update={
            "columns": (
                BOOK.by_name["id"],
                Column.model_validate({"name": "score", "type": "text", "description": "Score.", **score}),
            ),
            "target": Target(sql=target, description="Default."),
            "features": (BOOK.features[0].model_copy(update={"sql": "score", "kind": "category"}),),
        }
    )


def scores(path: Path, contract: Contract, **columns: object) -> list[tuple[object, ...]]:
    """Score and target of each staged row."""
    file = path / "scores.parquet"
    pl.DataFrame({"id": ["a", "b", "c"], "status": [1.0, 0.0, None], **columns}).write_parquet(file)
    return ingest([file], path / "out", contract).accepted.select("score", "target").rows()


DRAFTED = "CASE WHEN trim(\"score\") IN ('9999.0') THEN '1' ELSE '0' END"
WHOLE, FRACTIONS = pl.Series([9999.0, 1.0, None]), pl.Series(["9999", "1.5", None]).cast(pl.Decimal(10, 2))
OLD_TARGET = "CASE WHEN status = '1.0' THEN 1 WHEN status = '0.0' THEN 0 END"


@pytest.mark.parametrize("score", [WHOLE, WHOLE.cast(pl.Int64), WHOLE.cast(pl.Float32), WHOLE.cast(pl.Decimal(10, 2))])
def test_a_contract_of_an_earlier_release_keeps_its_meaning(tmp_path: Path, score: pl.Series) -> None:
    contract = book(OLD_TARGET, sql=DRAFTED)
    assert scores(tmp_path, contract, score=score) == [("1", 1), ("0", 0), ("0", None)]


def test_a_number_has_the_spelling_of_the_contract(tmp_path: Path) -> None:
    found = scores(tmp_path, book(sql="nullif(score, '9999.0')"), score=WHOLE)
    assert found == [(None, 1), ("1", 0), (None, None)]
    for allowed in (["9999.0", "1.500"], ["9999", "1.5"]):
        found = scores(tmp_path, book(allowed=allowed), score=FRACTIONS)
        assert found == [(allowed[0], 1), (allowed[1], 0), (None, None)]
    assert scores(tmp_path, book(), score=FRACTIONS) == [("9999", 1), ("1.50", 0), (None, None)]
    compared = book().model_copy(update={"features": (BOOK.features[0].model_copy(update={"sql": "score = '1.0'"}),)})
    assert scores(tmp_path, compared, score=WHOLE) == [("9999", 1), ("1.0", 0), (None, None)]
    codes = book(sql="CASE WHEN score IN ('9999', '9999.0') THEN 'code' WHEN score = '01' THEN '1' END")
    assert scores(tmp_path, codes, score=WHOLE) == [("code", 1), (None, 0), (None, None)]


def test_a_join_and_a_decimal_comma_have_spellings_too() -> None:
    code = Column(name="code", type="text", sql='"Code"', description="Code.")
    comma = Column(name="rate", type="number", decimal=",", sql="nullif(rate, '99,50')", description="Rate.")
    join = "WITH a AS (SELECT * FROM loans WHERE code = '1.0') SELECT a.* FROM a JOIN people ON a.code IN ('2', '2.0')"
    table = replace(
        Table.from_contract(BOOK),
        columns=(code, comma),
        target=None,
        read_by=(("the join", join), ("feature code", "code = '3.00'")),
    )
    assert number_spellings("f", "code", table, [code]) == {"1": "1.0", "3": "3.00"}
    assert number_spellings("f", "rate", table, [comma]) == {"99.5": "99,50"}


def test_two_spellings_of_one_number_are_refused(tmp_path: Path) -> None:
    contract = book("CASE score WHEN '1' THEN 1 WHEN '0' THEN 0 END", sql="nullif(score, '1.0')")
    with pytest.raises(SourceError, match=r"'1\.0' in column score, '1' in the target"):
        scores(tmp_path, contract, score=WHOLE)


def test_a_known_number_that_becomes_text_has_one_spelling() -> None:
    for value, was, text in [("36.0", "DOUBLE", "36"), ("1.5", "FLOAT", "1.5"), ("1.50", "DECIMAL(10,2)", "1.50")]:
        query = f"SELECT {retyped_sql('x', was, 'VARCHAR')} FROM (SELECT CAST({value} AS {was}) AS x)"
        assert duckdb.connect().execute(query).fetchall() == [(text,)]


def linked(target: str, sql: str = "st") -> tuple[Table, Column]:
    """A linked source whose column `status` the join calls `st`, and that column."""
    tables = [
        {**table, "columns": [*table["columns"], linked_column("status", "text")]}
        if table["name"] == "people"
        else table
        for table in LINKED["tables"]
    ]
    join = LINKED["join"].replace("people.income,", "people.income, people.status AS st,")
    later = linked_column("st", "text", sql=sql, available_at="after_origination")
    columns = [*LINKED["columns"], later]
    about = {"tables": tables, "join": join, "columns": columns, "target": {"sql": target, "description": "-"}}
    contract = Contract.model_validate({**LINKED, **about})
    (people,) = [table for table in contract.tables if table.name == "people"]
    return Table.from_source(contract, people), people.by_name["status"]


def test_a_renamed_number_of_a_linked_file_keeps_its_spelling() -> None:
    table, status = linked("CASE WHEN st = '1.0' THEN 1 WHEN st = '0.0' THEN 0 END")
    assert number_spellings("f", "status", table, [status]) == {"0": "0.0", "1": "1.0"}


def test_a_spelling_of_another_tables_column_is_not_taken() -> None:
    table, _ = linked("CASE WHEN st = '1.0' THEN 1 END")
    person = next(column for column in table.columns if column.name == "person")
    assert number_spellings("f", "person", table, [person]) == {}


def test_two_spellings_behind_a_join_are_refused() -> None:
    target = "CASE WHEN st = '1' THEN 1 WHEN st IS NOT NULL THEN 0 END"
    table, status = linked(target, sql="nullif(st, '1.0')")
    with pytest.raises(SourceError, match=r"'1' in the target, '1\.0' in column st"):
        number_spellings("f", "status", table, [status])

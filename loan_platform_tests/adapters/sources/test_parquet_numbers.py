"""Numbers of a Parquet file: the same values, missing values and categories as in CSV."""

from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from loan_platform.adapters.sources.sample import read_sample
from loan_platform.core.book.contract import Contract
from loan_platform.core.book.policies import Source
from loan_platform.core.staging.table import Table
from loan_platform_tests.support.ingest import ingest

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
    assert sample.select(sorted(wanted)).rows() == [(None, "36"), ("50.5", "60"), (None, None)]

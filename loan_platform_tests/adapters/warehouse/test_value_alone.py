"""A value depends on its text and the contract: alone, in any file, in any order, as CSV, as Parquet and over HTTP."""

import datetime as dt
import struct
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from loan_platform.adapters.warehouse.session import DuckDbSession
from loan_platform.adapters.warehouse.warehouse import Warehouse
from loan_platform.core.applications.reader import ApplicationReader
from loan_platform.core.book.contract import Contract
from loan_platform.core.book.parts.features import Feature
from loan_platform.core.features.design_column import DesignColumn
from loan_platform.core.features.design_matrix import Design
from loan_platform_tests.support.bundles import scoring_model
from loan_platform_tests.support.ingest import ingest

WAREHOUSE = Warehouse(DuckDbSession(threads=1))
KINDS: dict[str, dict[str, str]] = {
    "plain": {"type": "number"},
    "comma": {"type": "number", "decimal": ","},
    "percent": {"type": "percent"},
    "fraction": {"type": "percent", "written_as": "fraction"},
    "count": {"type": "integer"},
    "iso": {"type": "date"},
    "german": {"type": "date", "date_format": "%d.%m.%Y"},
    "short": {"type": "date", "date_format": "%d.%m.%y"},
    "compact": {"type": "date", "date_format": "%Y%m%d"},
    "excel": {"type": "date", "date_format": "excel_days"},
    "mac": {"type": "date", "date_format": "excel_days_1904"},
    "word": {"type": "text"},
}
DAYS = {"excel": dt.date(1899, 12, 30), "mac": dt.date(1904, 1, 1)}  # the first day of the numbers
DATED = [name for name, keys in KINDS.items() if keys["type"] == "date"]
DATES = st.none() | st.dates(dt.date(1950, 1, 1), dt.date(2060, 12, 31))
# Ratios up to 1 and amounts above it, in every mixture.
NUMBERS = st.none() | st.sampled_from([0.0, -0.0, 0.4, 0.85, 1.0, -0.5, 1.234, 1e-7, 1e20, 12345.678]) | st.floats(
    -1e6, 1e6
)  # fmt: skip
ROWS = st.fixed_dictionaries(
    {
        **dict.fromkeys(("plain", "comma", "percent"), NUMBERS),
        "fraction": st.none() | st.decimals(-2, 2, places=4).map(float),
        "count": st.none() | st.integers(-(2**40), 2**40),
        **dict.fromkeys(DATED, DATES),
        "short": st.none() | st.dates(dt.date(1930, 1, 1), dt.date(2029, 12, 31)),  # what two digits can say
        "word": st.none() | st.sampled_from(["a", "b c", "Ä", "a\u00a0", "\tb c "]),
    }
)


def contract() -> Contract:
    columns = [{"name": name, "description": name, **keys} for name, keys in KINDS.items()]
    numbers = [name for name, keys in KINDS.items() if keys["type"] in ("number", "percent", "integer")]
    read = {name: name for name in numbers} | {f"{name}_year": f"EXTRACT(year FROM {name})" for name in DATED}
    features = [Feature(name=f"f_{n}", sql=sql, description=n, reason=n) for n, sql in read.items()]
    word = Feature(name="f_word", sql="word", kind="category", description="word", reason="word")
    return Contract.model_validate(
        {
            "description": "One column of each way to write a value.",
            "entity_key": "id",
            "columns": [{"name": "id", "type": "text", "description": "Key.", "required": True}, *columns],
            "target": {"sql": "status", "description": "Default."},
            "features": [*features, word],
        }
    )


BOOK = contract()
READER = ApplicationReader(
    replace(
        scoring_model(),
        contract=BOOK,
        design=Design(tuple(DesignColumn(feature=f.name) for f in BOOK.features if f.kind == "number")),
    )
)


def text(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dt.date):
        if name in DAYS:
            return str((value - DAYS[name]).days)
        return value.strftime(KINDS[name].get("date_format", "%Y-%m-%d"))
    return repr(value).replace(".", ",") if KINDS[name].get("decimal") else str(value)


def staged(path: Path) -> dict[str, tuple[Any, ...]]:
    done = ingest([path], path.parent / f"{path.name}.out", BOOK, warehouse=WAREHOUSE)
    assert done.quarantined.height == 0, done.reasons
    return {row["id"]: tuple(bits(row[name]) for name in KINDS) for row in done.accepted.rows(named=True)}


def bits(value: Any) -> Any:
    return struct.pack(">d", value) if isinstance(value, float) else value


def as_csv(path: Path, rows: dict[str, dict[str, Any]]) -> Path:
    lines = [";".join(["id", *KINDS])]
    lines += [";".join([key, *(text(name, row[name]) for name in KINDS)]) for key, row in rows.items()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def as_parquet(path: Path, rows: dict[str, dict[str, Any]]) -> Path:
    number = dict.fromkeys(("plain", "comma", "percent", "fraction"), pl.Float64)
    schema = {"id": pl.String, **number, "count": pl.Int64, **dict.fromkeys(DATED, pl.Date), "word": pl.String}
    pl.DataFrame([{"id": key, **row} for key, row in rows.items()], schema=schema).write_parquet(path)
    return path


def over_http(row: dict[str, Any]) -> tuple[Any, ...]:
    sent: dict[str, Any] = {
        name: value.isoformat() if isinstance(value, dt.date) else value for name, value in row.items()
    }
    if sent["fraction"] is not None:
        sent["fraction"] = round(sent["fraction"] * 100, 10)  # a request has the unit of the column
    (typed,) = READER.read(sent).rows(named=True)
    whole = {"count": None if typed["count"] is None else int(typed["count"])}
    return tuple(bits({**typed, **whole}[name]) for name in KINDS)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(rows=st.lists(ROWS, min_size=2, max_size=12), order=st.randoms(use_true_random=False))
def test_a_value_depends_on_its_text_and_the_contract(rows: list[dict[str, Any]], order: Any) -> None:
    numbered = {f"k{i}": row for i, row in enumerate(rows)}
    mixed = list(numbered.items())
    order.shuffle(mixed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        together = staged(as_csv(folder / "all.csv", numbered))
        assert staged(as_csv(folder / "mixed.csv", dict(mixed))) == together
        assert staged(as_parquet(folder / "all.parquet", dict(mixed))) == together
        assert staged(as_csv(folder / "one.csv", dict(mixed[:1]))) == {mixed[0][0]: together[mixed[0][0]]}
    assert {key: over_http(row) for key, row in numbered.items()} == together


def test_missing_texts_and_nan_are_missing_in_every_file() -> None:
    known = {"plain": 1.5, "comma": 1.5, "percent": 1.5, "fraction": 0.5, "count": 2, **dict.fromkeys(DATED)}
    rows = {key: {**known, "word": "a"} for key in ("k0", "k1")}
    with tempfile.TemporaryDirectory() as name:
        path = as_csv(Path(name) / "a.csv", rows)
        for mark in ("NaN", "nan", "NA", "", " #N/A "):
            path.write_text(path.read_text().splitlines()[0] + f"\nk0{f';{mark}' * len(KINDS)}\n")
            assert staged(path) == {"k0": (None,) * len(KINDS)}, mark
        nan = {**rows["k0"], "plain": float("nan"), "percent": float("nan"), "comma": float("nan")}
        (found,) = staged(as_parquet(Path(name) / "a.parquet", {"k0": nan})).values()
        assert found[:3] == (None, None, None)

"""Dates of a Parquet file: with a zone, with nanoseconds, as numbers; the zone of the machine does not matter."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from loan_platform.adapters.sources.labels import source_labels
from loan_platform.adapters.warehouse.session import DuckDbSession
from loan_platform.adapters.warehouse.warehouse import Warehouse
from loan_platform.core.errors import SourceError
from loan_platform_tests.support.ingest import book, ingest

DAY = date(2015, 3, 1)
LATE = pl.Series([datetime(2015, 3, 1, 23, 30)])
NANOSECONDS = (LATE.cast(pl.Datetime("ns")).cast(pl.Int64) + 1).cast(pl.Datetime("ns"))
COLUMNS = {
    "utc": LATE.dt.replace_time_zone("UTC"),
    "berlin": pl.Series([datetime(2015, 3, 1, 0, 30)]).dt.replace_time_zone("Europe/Berlin"),
    "new_york": LATE.dt.replace_time_zone("America/New_York"),
    "nanoseconds": NANOSECONDS,
    "utc_nanoseconds": NANOSECONDS.dt.replace_time_zone("UTC"),
    "milliseconds": LATE.cast(pl.Datetime("ms")),
    "date": pl.Series([DAY]),
}


@pytest.fixture(params=["UTC", "America/New_York", "Asia/Singapore"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


def issued(folder: Path, values: pl.Series, **column: Any) -> tuple[str, date]:
    """Raw text and typed date of the file's only row."""
    path = folder / "a.parquet"
    frame = pl.DataFrame({"id": ["1"], "income": ["5"], "status": ["bad"]})
    frame.with_columns(pl.lit(values).alias("issued")).write_parquet(path)
    columns = [c.model_copy(update=column) if c.name == "issued" else c for c in book().columns]
    contract = book().model_copy(update={"columns": tuple(columns)})
    done = ingest([path], folder / "out", contract, warehouse=Warehouse(DuckDbSession(threads=1)))
    assert done.reasons == []
    return done.raw["issued"][0], done.accepted["issued"][0]


@pytest.mark.parametrize("kind", COLUMNS)
def test_a_typed_date_is_the_day_of_its_own_zone(tmp_path: Path, zone: str, kind: str) -> None:
    assert os.environ["TZ"] == zone
    text, day = issued(tmp_path, COLUMNS[kind])
    assert (text[:10], day) == ("2015-03-01", DAY)
    assert issued(tmp_path, COLUMNS[kind], date_format="%d.%m.%Y") == ("01.03.2015", DAY)


def zoned(path: Path, instant: datetime, name: str) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    times = pa.array([instant], pa.timestamp("us", name))
    pq.write_table(pa.table({"id": ["1"], "income": ["5"], "status": ["bad"], "issued": times}), path)
    return path


@pytest.mark.parametrize("name", ["+02:00", "+05:30", "+0530", "+05:30:00", "GMT+5"])
def test_a_zone_as_an_offset_is_that_zone(tmp_path: Path, zone: str, name: str) -> None:
    path = zoned(tmp_path / "a.parquet", datetime(2015, 2, 28, 22, 30, tzinfo=UTC), name)
    assert duckdb.execute(f"SELECT count(*) FROM '{path}'").fetchall() == [(1,)]
    done = ingest([path], tmp_path / "out", warehouse=Warehouse(DuckDbSession(threads=1)))
    assert done.accepted["issued"].to_list() == [DAY], zone
    assert source_labels([path], 10**6)["issued"] == "issued"


def test_z_is_utc_and_an_unknown_zone_is_refused(tmp_path: Path) -> None:
    instant = datetime(2015, 3, 1, 23, 30, tzinfo=UTC)
    done = ingest([zoned(tmp_path / "z.parquet", instant, "Z")], tmp_path / "out")
    assert done.accepted["issued"].to_list() == [DAY]
    with pytest.raises(SourceError, match="has times in 'issued' with the time zone 'Foo/Bar', which is not known"):
        ingest([zoned(tmp_path / "foo.parquet", instant, "Foo/Bar")], tmp_path / "foo")


@pytest.mark.parametrize(
    ("value", "form", "day"),
    [(42064, "excel_days", DAY), (42064.5, "excel_days", DAY), (201503, "%Y%m", DAY), (201503.0, "%Y%m", DAY)],
)
def test_dates_as_numbers_are_read_in_the_form_of_the_contract(
    tmp_path: Path, value: float, form: str, day: date
) -> None:
    assert issued(tmp_path, pl.Series([value]), date_format=form)[1] == day

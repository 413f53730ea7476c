import os
import subprocess
import sys
from pathlib import Path

import duckdb
import polars as pl
import pytest

from loan_platform.sample_data.lending_club import files
from loan_platform.sample_data.lending_club.chunk import Request
from loan_platform.sample_data.lending_club.columns import RAW_COLUMNS
from loan_platform.sample_data.lending_club.files import write_loan_book
from loan_platform_tests.support.paths import REPOSITORY

RESOLVED = ["Fully Paid", "Charged Off"]


def read(path: Path) -> pl.DataFrame:
    return pl.read_csv(path, infer_schema=False)


def number(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.Float64)


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    path = tmp_path_factory.mktemp("book") / "loans.csv"
    write_loan_book(path, rows=20_000, seed=5, dirty_share=0.0, footer=False)
    return read(path)


def test_header_is_that_of_the_public_release(book: pl.DataFrame) -> None:
    assert len(RAW_COLUMNS) == len(set(RAW_COLUMNS)) == 151
    assert RAW_COLUMNS[:6] == ("id", "member_id", "loan_amnt", "funded_amnt", "funded_amnt_inv", "term")
    assert (RAW_COLUMNS[56], RAW_COLUMNS[144], RAW_COLUMNS[150]) == (
        "application_type",
        "debt_settlement_flag",
        "settlement_term",
    )
    assert tuple(book.columns) == RAW_COLUMNS


@pytest.mark.real_data
def test_header_equals_the_real_sample(loan_data: Path) -> None:
    sample = loan_data / "lendingclub/accepted_2007_2018Q4_sample.csv.gz"
    assert tuple(pl.read_csv(sample, infer_schema=False, n_rows=1).columns) == RAW_COLUMNS


def test_text_has_the_raw_form(book: pl.DataFrame) -> None:
    assert set(book["term"]) == {" 36 months", " 60 months"}
    assert book["loan_amnt"].str.contains(r"^\d+\.0$").all()
    assert book["issue_d"].str.contains(r"^[A-Z][a-z]{2}-201[2-8]$").all()
    assert set(book["emp_length"]) >= {"< 1 year", "1 year", "10+ years", None}
    assert book["member_id"].null_count() == book.height
    assert book["url"][0] == f"https://lendingclub.com/browse/loanDetail.action?loan_id={book['id'][0]}"
    assert book["emp_title"].str.contains("@example.com").sum() > 0
    assert book["desc"].str.contains("555-01").sum() > 0
    assert book["id"].n_unique() == book.height


def test_marginals_are_close_to_the_real_sample(book: pl.DataFrame) -> None:
    means = book.select(number(c).mean() for c in ("annual_inc", "dti", "fico_range_low", "int_rate")).row(0)
    assert means == pytest.approx((77_925, 19.06, 698.95, 13.26), rel=0.07)
    missing = {name: book[name].null_count() / book.height for name in ("mths_since_last_delinq", "bc_util")}
    assert missing == pytest.approx({"mths_since_last_delinq": 0.512, "bc_util": 0.012}, abs=0.03)


def test_fields_start_when_the_lender_bought_them(book: pl.DataFrame) -> None:
    year = pl.col("issue_d").str.slice(4).cast(pl.Int32)
    before, after = book.filter(year <= 2014), book.filter(year >= 2016)
    assert before["open_acc_6m"].null_count() == before.height
    assert after["open_acc_6m"].null_count() == 0
    single = book.filter(pl.col("application_type") == "Individual")
    assert single["sec_app_fico_range_low"].null_count() == single.height
    assert book.filter(year >= 2018, pl.col("application_type") == "Joint App")["sec_app_open_acc"].count() > 100


def test_vintages_mature(book: pl.DataFrame) -> None:
    year = pl.col("issue_d").str.slice(4).cast(pl.Int32)
    resolved = pl.col("loan_status").is_in(RESOLVED)
    shares = dict(book.group_by(year.alias("year")).agg(resolved.mean()).rows())
    assert (shares[2012], shares[2013]) == (1.0, 1.0)
    assert shares[2015] == pytest.approx(0.92, abs=0.04)
    assert shares[2018] < shares[2017] < shares[2016] < shares[2015]
    bad = book.filter(resolved).select((pl.col("loan_status") == "Charged Off").mean()).item()
    assert bad == pytest.approx(0.20, abs=0.02)
    charged_off = (pl.col("loan_status") == "Charged Off").mean()
    assert 0.14 <= book.filter(year <= 2014, resolved).select(charged_off).item() <= 0.20
    assert {"Current", "In Grace Period", "Late (31-120 days)"} <= set(book["loan_status"])


def test_money_adds_up(book: pl.DataFrame) -> None:
    paid = book.filter(pl.col("loan_status") == "Fully Paid")
    assert paid.select((number("total_rec_prncp") - number("loan_amnt")).abs().max()).item() == 0.0
    parts = ("total_rec_prncp", "total_rec_int", "total_rec_late_fee", "recoveries")
    gap = number("total_pymnt") - pl.sum_horizontal(number(part) for part in parts)
    assert book.select(gap.abs().max()).item() < 0.02
    running = book.filter(pl.col("loan_status") == "Current")
    open_now = number("loan_amnt") - number("total_rec_prncp") - number("out_prncp")
    assert running.select(open_now.abs().max()).item() < 0.01
    assert set(running["next_pymnt_d"]) == {"Apr-2019"}


def test_clean_file_has_no_reject_in_duckdb(tmp_path: Path) -> None:
    made = write_loan_book(tmp_path / "a.csv", rows=3_000, seed=1, dirty_share=0.0, footer=False)
    connection = duckdb.connect()
    connection.execute(
        "create table loans as select * from read_csv(?, all_varchar=true, header=true, delim=',',"
        " quote='\"', escape='\"', store_rejects=true, strict_mode=true)",
        [str(made.path)],
    )
    assert connection.execute("select count(*) from loans").fetchall() == [(3_000,)]
    assert connection.execute("select count(*) from reject_errors").fetchall() == [(0,)]
    assert sum(made.dirty.values()) == 0


@pytest.mark.parametrize("setting", [("0", "UTC", "1"), ("4711", "Asia/Tokyo", "2")])
def test_same_seed_gives_the_same_bytes_anywhere(tmp_path: Path, setting: tuple[str, str, str]) -> None:
    expected = write_loan_book(tmp_path / "here.csv", rows=2_000, seed=3).sha256
    code = (
        "import sys, pathlib; from loan_platform.sample_data.lending_club.files import write_loan_book;"
        "print(write_loan_book(pathlib.Path(sys.argv[1]), rows=2_000, seed=3).sha256)"
    )
    names = ("PYTHONHASHSEED", "TZ", "POLARS_MAX_THREADS")
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "there.csv")],
        env={**os.environ, **dict(zip(names, setting, strict=True))},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == expected
    assert (tmp_path / "there.csv").read_bytes() == (tmp_path / "here.csv").read_bytes()
    assert write_loan_book(tmp_path / "other.csv", rows=2_000, seed=4).sha256 != expected


def test_chunks_make_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "CHUNK_ROWS", 400)
    made = write_loan_book(tmp_path / "a.csv", rows=1_000, seed=2, dirty_share=0.0, footer=False)
    ids = read(made.path)["id"].cast(pl.Int64)
    assert (ids.len(), ids.n_unique(), ids.is_sorted()) == (1_000, 1_000, True)
    assert made.size_bytes == made.path.stat().st_size


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.csv").write_text("old")
    monkeypatch.setattr(files, "CHUNK_ROWS", 60)
    draw, chunks = files.draw_chunk, list[object]()

    def stop(chunk: Request) -> pl.DataFrame:
        if chunks:
            raise RuntimeError("stopped in the second chunk")
        chunks.append(chunk)
        return draw(chunk)

    monkeypatch.setattr(files, "draw_chunk", stop)
    with pytest.raises(RuntimeError, match="stopped in the second chunk"):
        write_loan_book(tmp_path / "a.csv", rows=100, seed=1)
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]
    assert (tmp_path / "a.csv").read_text() == "old"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"start": "2012-13"}, "2012-13"),
        ({"start": "2018-12", "end": "2018-01"}, "before the first"),
        ({"snapshot": "2018-06"}, "before the last vintage"),
        ({"dirty_share": 0.6}, "dirty_share 0.6"),
    ],
)
def test_wrong_parameters_are_named(tmp_path: Path, wrong: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        write_loan_book(tmp_path / "a.csv", rows=10, seed=1, **wrong)  # pyright: ignore[reportArgumentType]
    assert list(tmp_path.iterdir()) == []


def test_command_line_writes_three_files(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "loan_platform.sample_data.lending_club", "--rows", "500", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "applications.csv",
        "loans.csv",
        "outcomes.csv",
    ]
    assert "500 rows (5 dirty)" in done.stdout

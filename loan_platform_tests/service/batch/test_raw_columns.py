"""Uploads in the lender's own columns: typed like the nightly scoring, recognised by the header alone."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import httpx
import polars as pl
import pytest

from bento.batch import raw_columns
from bento.batch.raw_columns import CODES, LINKED, NO_DUCKDB, RawColumns
from loan_platform.adapters.warehouse.warehouse import Warehouse
from loan_platform.cli.books import book_folder
from loan_platform.core.applications.reader import ApplicationReader
from loan_platform.core.book.contract import Contract
from loan_platform.core.book.policies import Source
from loan_platform.core.checking.contract_check import load_contract
from loan_platform.core.errors import ExplainedError
from loan_platform.core.features.design_column import DesignColumn
from loan_platform.core.features.design_matrix import Design
from loan_platform.core.scoring.bundle import write_bundle
from loan_platform.core.scoring.predictor import Predictor
from loan_platform.core.scoring.scoring_model import ScoringModel, reduced_contract
from loan_platform.core.staging.quarantine_reasons import Reason
from loan_platform.core.staging.table import Table
from loan_platform_tests.support.bundles import scoring_model, typed_rows
from loan_platform_tests.support.service.batch_jobs import BATCH, ended, parquet
from loan_platform_tests.support.service.club import APPLICATION, club_contract, club_model
from loan_platform_tests.support.service.in_thread import answering
from loan_platform_tests.support.service.running import Home

CSV, PARQUET = "text/csv", "application/vnd.apache.parquet"
SQL = {
    "loan_id": '"Loan No"',
    "income": '"Income"',
    "utilisation": '"Used %"',
    "term": "replace(lower(\"Term\"), 'months', '')",
    "owner": '"Owner"',
    "opened": '"Opened"',
    "region": "case \"Region\" when 'N' then 'north' when 'S' then 'Süd' end",
}
HEADER = "Loan No;Income;Used %;Term;Owner;Opened;Region;Defaulted;Note"
LINES = [
    'A1;"$1,250.10";0.1122; 36 months;yes;Mar-2015;N;;x',
    "A2;17000;0.07;60 months;0;2011-11-30;S;;x",
    "A3;900.3;;36 months;;;;;x",
    "A4;much;0.5;36 months;y;2011/11/30;N;;x",
    ";1000;0.5;36 months;y;2011/11/30;N;;x",
    "A1;2000;0.3;36 months;y;2011/11/30;N;;x",
    "A7;2000",
    "A8;5000.7;0.51;60;T;05-Feb-1999;N;;x",
]
FILE = "\n".join(["Applications of this month", HEADER, *LINES]).encode()
BY_NAME = {(4, "income"): "wrong_type", (5, "loan_id"): "required", (6, "loan_id"): "duplicate_key"}


def raw_model(slope: float = 0.1) -> ScoringModel:
    """The model of every type, with a contract that reads the lender's columns by SQL."""
    model = scoring_model(slope)
    parts = model.contract.model_dump()
    parts["columns"] = [{**column, "sql": SQL[column["name"]]} for column in parts["columns"]]
    (used,) = (column for column in parts["columns"] if column["name"] == "utilisation")
    used["written_as"] = "fraction"
    return replace(model, contract=Contract.model_validate(parts))


def make_raw_bundle(directory: Path, slope: float) -> tuple[ScoringModel, str]:
    model = raw_model(slope)
    return model, write_bundle(directory, model, {}, typed_rows(), {"family": "scorecard"})


def nightly(contract: Contract, path: Path, folder: Path) -> pl.DataFrame:
    """The accepted rows of a file, staged as in the night; of one key the first row counts."""
    table, warehouse = Table.from_contract(contract), Warehouse()
    raw, rejects, accepted, quarantined = (folder / f"{name}.parquet" for name in ("raw", "rejects", "yes", "no"))
    warehouse.read_raw([path], table, Source(path="x"), raw, rejects)
    warehouse.stage(raw, table, accepted, quarantined, rejects=rejects)
    return pl.read_parquet(accepted)


def as_parquet() -> bytes:
    names = HEADER.split(";")
    rows = [dict(zip(names, line.replace('"', "").split(";"), strict=True)) for line in LINES if line != "A7;2000"]
    return parquet(pl.DataFrame(rows).with_columns(pl.col("Income").replace("much", None)))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("home"))
    home.promote(0.1, make=make_raw_bundle)
    return home


@pytest.fixture(scope="module")
def service(home: Home) -> Iterator[httpx.Client]:
    with answering(home) as client:
        yield client


def job(service: httpx.Client, content: bytes, media: str = CSV, **query: str) -> dict[str, Any]:
    return ended(service, service.post(BATCH, content=content, headers={"content-type": media}, params=query))


@pytest.mark.slow
@pytest.mark.parametrize("media", [CSV, PARQUET])
def test_a_raw_file_is_scored_as_in_the_night(service: httpx.Client, tmp_path: Path, media: str) -> None:
    content = FILE if media == CSV else as_parquet()
    path = tmp_path / "applications"
    path.write_bytes(content)
    model = raw_model()
    staged = nightly(model.contract, path, tmp_path)
    assert staged["utilisation"].to_list()[0] == 11.22
    wanted = Predictor(model).predict_frame(staged)
    told = job(service, content, media)
    assert told["status"] == "SUCCEEDED", told
    assert [row["key"] for row in told["answers"]] == staged["loan_id"].to_list() == ["A1", "A2", "A3", "A8"]
    assert [row["probability"] for row in told["answers"]] == wanted["probability"].to_list()
    without = [{k: v for k, v in row.items() if k not in ("row", "key")} for row in told["answers"]]
    assert without == wanted.to_dicts()


@pytest.mark.slow
def test_each_row_of_a_raw_file_is_accounted_for(service: httpx.Client) -> None:
    told = job(service, FILE)
    assert told["status"] == "SUCCEEDED", told
    assert (told["total_predictions"], told["scored"], told["refused_rows"]) == (8, 4, 4)
    assert [row["row"] for row in told["answers"]] == [1, 2, 3, 8]
    refused = service.get(f"{BATCH}/{told['job_id']}", params={"part": "refused"}).json()["refused"]
    found = {(row["row"], row["field"]): row["code"] for row in refused}
    assert found == {**BY_NAME, (7, ""): "malformed_line"}
    assert {row["detail"] for row in refused if row["row"] in (4, 5)} == {
        "is not a number",
        "is required and has no value",
    }
    assert "much" not in str(refused)


@pytest.mark.slow
def test_the_contract_s_columns_are_read_as_before(service: httpx.Client) -> None:
    rows = typed_rows()
    told = job(service, rows.write_csv().encode())
    wanted = Predictor(raw_model()).predict_frame(rows)
    assert [row["probability"] for row in told["answers"]] == wanted["probability"].to_list()


@pytest.mark.slow
def test_a_header_that_fits_neither_is_refused(service: httpx.Client) -> None:
    told = job(service, b"Loan No,incme\nA1,1\n")
    assert told["status"] == "FAILED"
    assert "incme is not a field of an application. Did you mean 'income'?" in told["message"]
    assert told["message"].endswith(
        "In the contract's columns it lacks income. In the lender's columns it lacks income."
    )
    half = job(service, b"income,Used %\n1,2\n")
    assert half["status"] == "FAILED"
    assert "In the lender's columns it lacks loan_id (read from loan no)" in half["message"]


@pytest.mark.slow
def test_the_client_may_say_which_columns_a_file_has(service: httpx.Client) -> None:
    forced = job(service, b"income\n1000\n", columns="raw")
    assert (forced["status"], forced["scored"]) == ("FAILED", 0)
    assert "lacks 1 required columns: loan_id" in forced["message"]
    assert job(service, FILE, columns="contract")["status"] == "FAILED"
    for query, media in (
        ({"columns": "mine"}, CSV),
        ({"layout": "raw"}, CSV),
        ({"columns": "raw"}, "application/json"),
        ({"columns": "raw"}, "application/x-ndjson"),
    ):
        answer = service.post(BATCH, content=FILE, headers={"content-type": media}, params=query)
        assert (answer.status_code, answer.json()["code"]) == (422, "unknown_parameter")


def reading(model: ScoringModel) -> RawColumns:
    return RawColumns(model.contract, ApplicationReader(model))


def test_only_a_column_of_the_lender_s_own_makes_a_file_raw() -> None:
    raw, same = reading(raw_model()), reading(scoring_model())
    assert raw.fit(["Loan No", " INCOME ", "Note"])
    assert not raw.fit(["loan_id", "income"])
    assert not raw.fit(["Used %", "income"])
    assert not same.fit(["loan_id", "income", "regoin"])  # names are the same: a slip stays a slip
    assert same.fit(["loan_id", "income", "defaulted"])


def test_without_duckdb_one_sentence_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw_columns, "find_spec", lambda _: None)
    with pytest.raises(ExplainedError) as error:
        reading(raw_model()).stage(tmp_path / "input", tmp_path, 1_000, 1_000)
    assert str(error.value) == NO_DUCKDB


def test_every_reason_of_quarantine_has_a_code() -> None:
    assert set(CODES) == set(get_args(Reason))


def test_other_names_of_a_raw_column_make_a_file_raw() -> None:
    model = raw_model()
    names = {"loan_id": ("Loan No", "Client No"), "income": ("income", "Salary")}
    columns = tuple(c.model_copy(update={"sources": names.get(c.name, ())}) for c in model.contract.columns)
    raw = reading(replace(model, contract=model.contract.model_copy(update={"columns": columns})))
    for header in (["CLIENT NO", "Salary"], ["Loan No", "salary "], ["client no", "income"]):
        assert raw.fit(header)
    assert "In the lender's columns it lacks income" in raw.lacking(["x"], ["Client No"])


def test_a_duplicate_is_told_by_the_number_of_its_row(tmp_path: Path) -> None:
    (tmp_path / "input").write_bytes(FILE)
    raw = reading(raw_model())
    raw.stage(tmp_path / "input", tmp_path, 1_000_000, 1_000)
    rejected = raw.read(tmp_path, 0, 100).rejected
    assert rejected.filter(pl.col("code") == "duplicate_key").rows() == [
        (6, "loan_id", "duplicate_key", "an earlier row has the same loan_id: row 1")
    ]


def test_rows_are_counted_below_a_header_of_several_lines(tmp_path: Path) -> None:
    lines = [HEADER.replace("Note", '"No\nte"'), *LINES]
    (tmp_path / "input").write_text("\n".join(lines))
    raw = reading(raw_model())
    raw.stage(tmp_path / "input", tmp_path, 1_000_000, 1_000)
    found = raw.read(tmp_path, 0, 100)
    assert found.rows.to_list() == [1, 2, 3, 8]
    assert found.rejected.filter(pl.col("code") == "duplicate_key").rows() == [
        (6, "loan_id", "duplicate_key", "an earlier row has the same loan_id: row 1")
    ]


@pytest.mark.parametrize("media", [CSV, PARQUET])
def test_a_layout_of_files_holds_in_the_service_too(media: str, tmp_path: Path) -> None:
    rows = pl.DataFrame([{"id": "a", **APPLICATION, "revol_util": 0.35, "issue_year": 2009}])
    write = rows.write_csv if media == CSV else rows.write_parquet
    write(tmp_path / "input")
    assert nightly(club_contract(), tmp_path / "input", tmp_path)["revol_util"].to_list() == [35.0]
    reading(club_model()).stage(tmp_path / "input", tmp_path, 1_000_000, 1_000)
    assert pl.read_parquet(tmp_path / "accepted.parquet")["revol_util"].to_list() == [35.0]


def test_a_book_of_linked_files_takes_no_raw_file(tmp_path: Path) -> None:
    contract = load_contract(book_folder("retail_loans") / "contract.yaml")
    linked = reduced_contract(contract, Design((DesignColumn(feature=contract.features[0].name),)))
    raw = reading(replace(scoring_model(), contract=linked))
    joined = [name for column in linked.columns for name in column.raw_columns]
    assert not raw.fit(["of_the_lender", *joined])
    assert raw.lacking(["x"], ["x"]).endswith(LINKED)
    with pytest.raises(ExplainedError, match="joins several files"):
        raw.stage(tmp_path / "input", tmp_path, 1_000, 1_000)

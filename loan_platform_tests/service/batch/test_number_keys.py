"""Keys of a numeric column: a number with decimals is refused at every door, before anything is kept of its row."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

from bento.batch.input import CSV, NDJSON, PARQUET, InputLimits, Pieces
from bento.batch.raw_columns import RawColumns
from loan_platform.adapters.audit.reader import AuditRecords
from loan_platform.core.applications.frame_reader import FrameReader
from loan_platform.core.applications.reader import ApplicationError, ApplicationReader
from loan_platform.core.scoring.bundle import write_bundle
from loan_platform.core.scoring.scoring_model import ScoringModel
from loan_platform.core.staging.keys import NO_KEY
from loan_platform.settings.audit import AuditSettings
from loan_platform_tests.support.bundles import scoring_model, typed_rows
from loan_platform_tests.support.service.in_process import BOOK, worker_app

KINDS = pytest.mark.parametrize("kind", ["number", "integer"])
BIG = 10**15 + 7


def model_of(kind: str) -> ScoringModel:
    """The model of every type with a key of a numeric column."""
    model = scoring_model()
    columns = [c.model_copy(update={"type": kind} if c.name == "loan_id" else {}) for c in model.contract.columns]
    return replace(model, contract=model.contract.model_copy(update={"columns": tuple(columns)}))


def make(folder: Path) -> tuple[ScoringModel, str]:
    model = model_of("number")
    return model, write_bundle(folder, model, {}, typed_rows(), {"family": "scorecard"})


def read(kind: str, media: str, folder: Path, keys: list[Any]) -> tuple[list[tuple[int, str]], list[tuple[Any, ...]]]:
    """Rows and keys that a batch job accepts of a file with these keys, and the rows that it rejects."""
    incomes = [1000.0 * number for number in range(1, len(keys) + 1)]
    path = folder / "input"
    if media == NDJSON:
        rows = zip(keys, incomes, strict=True)
        path.write_text("\n".join(json.dumps({"loan_id": key, "income": income}) for key, income in rows))
    elif media == CSV:
        path.write_text("\n".join(["loan_id,income", *(f"{k},{i}" for k, i in zip(keys, incomes, strict=True))]))
    else:
        pl.DataFrame({"loan_id": [float(key) for key in keys], "income": incomes}).write_parquet(path)
    model = model_of(kind)
    reader = ApplicationReader(model)
    pieces = Pieces(
        folder, media, FrameReader(reader), InputLimits(1_000_000, 1_000), RawColumns(model.contract, reader)
    )
    for _ in pieces.split():
        pass
    found = pieces.read(0)
    assert found.frame["income"].to_list() == [1000.0 * row for row in found.rows]
    return list(zip(found.rows.to_list(), found.keys.to_list(), strict=True)), found.rejected.rows()


@KINDS
@pytest.mark.parametrize("media", [NDJSON, CSV, PARQUET])
def test_rows_and_keys_stay_together_beside_a_key_with_decimals(kind: str, media: str, tmp_path: Path) -> None:
    accepted, rejected = read(kind, media, tmp_path, [1001, 1.5, 1003, BIG])
    assert accepted == [(1, "1001"), (3, "1003"), (4, str(BIG))]
    assert [row[:3] for row in rejected] == [(2, "loan_id", "wrong_type")]


@KINDS
def test_a_key_with_an_exponent_in_a_csv_is_refused(kind: str, tmp_path: Path) -> None:
    accepted, rejected = read(kind, CSV, tmp_path, ["1.0775e6", "1e3", "1003"])
    assert accepted == [(3, "1003")]
    assert [row[:3] for row in rejected] == [(1, "loan_id", "wrong_type"), (2, "loan_id", "wrong_type")]


@KINDS
@pytest.mark.parametrize("sent", [1.5, 1e300, -0.25])
def test_an_application_with_such_a_key_is_refused(kind: str, sent: float) -> None:
    reader = ApplicationReader(model_of(kind))
    with pytest.raises(ApplicationError) as refused:
        reader.inputs({"loan_id": sent, "income": 1})
    assert [issue.path for issue in refused.value.issues] == ["loan_id"]
    assert reader.inputs({"loan_id": 1001, "income": 1}) == reader.inputs({"income": 1})


def posted(folder: Path, path: str, body: dict[str, Any]) -> tuple[httpx.Response, list[dict[str, Any]]]:
    """The answer, and what was recorded of applications."""

    async def sent() -> httpx.Response:
        with worker_app(folder, bundle=make, LOAN_AUDIT_INPUTS="plain") as app:
            transport = httpx.ASGITransport(app, client=("127.0.0.1", 1))  # pyright: ignore[reportArgumentType]
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                return await client.post(path, json=body)

    answer = asyncio.run(sent())
    directory = AuditSettings.for_portfolio(BOOK, {"LOAN_PLATFORM_HOME": str(folder)}).directory
    records = [record for chain in AuditRecords(directory, None).chains() for record in chain.records]
    return answer, [record["plain"] for record in records]


def test_predict_refuses_a_key_that_no_record_could_have(tmp_path: Path) -> None:
    answer, records = posted(tmp_path, "/predict", {"loan_id": 1.5, "income": 1})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_application")
    assert answer.json()["errors"] == [{"field": "loan_id", "code": "wrong_type", "detail": NO_KEY}]
    assert records == []


def test_a_field_without_a_name_is_no_date_of_a_record(tmp_path: Path) -> None:
    row = {"loan_id": 1001, "income": 1, "": "2015-01-01"}
    answer, records = posted(tmp_path, "/invocations", {"dataframe_records": [row]})
    assert answer.status_code == 200, answer.text
    assert [(record["entity"], record["date"]) for record in records] == [("1001", None)]

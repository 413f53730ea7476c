"""The logged model, loaded and served by MLflow itself."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import polars as pl
import pytest

from loan_platform.adapters.service.ports import free_port
from loan_platform.adapters.tracking.registry import PRODUCTION
from loan_platform.core.scoring.predictor import Predictor
from loan_platform_tests.support.logged import ANSWER, ROWS, Book, logged_book, register
from loan_platform_tests.support.waiting import PATIENCE_SECONDS, until


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Book]:
    with logged_book(tmp_path_factory.mktemp("home")) as book:
        yield book


def test_a_pandas_frame_scores_as_the_platform_does(book: Book) -> None:
    expected = book.model.score(ROWS)
    model = mlflow.pyfunc.load_model(book.uris[0])
    frame = ROWS.to_pandas()
    frame.index = pd.Index(range(100, 100 + len(frame)))
    scored = model.predict(frame)
    assert list(scored.columns) == ANSWER
    assert scored.index[0] == 100
    for name in ANSWER[:-1]:
        assert scored[name].tolist() == expected[name].to_list()
    reasons = [json.loads(text) for text in scored["reasons"]]
    assert reasons == Predictor(book.model).predict_frame(ROWS)["reasons"].to_list()
    assert [bool(told) for told in reasons] == (expected["decision"] == "decline").to_list()


def test_frames_as_people_make_them_score_the_same(book: Book) -> None:
    whole = ROWS.drop_nulls()
    expected = book.model.score(whole)["probability"].to_list()
    model = mlflow.pyfunc.load_model(book.uris[0])
    text_dates = whole.with_columns(pl.col("opened").cast(pl.String)).to_pandas()
    integers = whole.to_pandas().astype({"income": "int64", "utilisation": "int64", "region": "category"})
    nullable = whole.to_pandas().convert_dtypes()
    for frame in (text_dates, integers, nullable, whole.to_pandas()[list(reversed(whole.columns))]):
        assert model.predict(frame)["probability"].tolist() == expected
    alone = [model.predict(whole.to_pandas().iloc[[i]])["probability"].tolist()[0] for i in range(3)]
    assert alone == expected[:3]


@pytest.fixture(scope="module")
def server(book: Book) -> Iterator[str]:
    """The real `mlflow models serve` on the champion."""
    version = register(book, 0)
    book.registry.set_alias("book", PRODUCTION, version.version)
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", f"models:/book@{PRODUCTION}"]
    command += ["--env-manager", "local", "--host", "127.0.0.1", "--port", str(port)]
    environment = {
        **os.environ,
        "MLFLOW_TRACKING_URI": book.tracking.uri,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    log = book.settings.home / "serve.log"
    with log.open("w") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output, start_new_session=True)
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_for(f"{address}/ping", process, log)
        yield address
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.slow
@pytest.mark.parametrize("form", ["dataframe_split", "dataframe_records", "inputs", "instances"])
def test_the_served_model_takes_every_form_with_gaps_and_dates(book: Book, server: str, form: str) -> None:
    rows = ROWS.with_columns(pl.col("opened").cast(pl.String))
    body: Any = {
        "dataframe_split": {"columns": rows.columns, "data": [list(row) for row in rows.iter_rows()]},
        "dataframe_records": rows.to_dicts(),
        "inputs": rows.to_dict(as_series=False),
        "instances": rows.to_dicts(),
    }[form]
    status, answer = _post(server, {form: body})
    assert status == 200, answer
    expected = book.model.score(ROWS)
    assert [p["probability"] for p in answer["predictions"]] == expected["probability"].to_list()
    for name in ("score", "risk", "decision", "expected_loss"):
        assert [p[name] for p in answer["predictions"]] == expected[name].to_list()


@pytest.mark.slow
def test_the_example_that_mlflow_shows_can_be_sent(book: Book, server: str) -> None:
    (stored, *_) = book.settings.mlartifacts.rglob("serving_input_example.json")
    example = json.loads(stored.read_text())
    assert "1990-01-01" in example["dataframe_split"]["data"][0]
    status, answer = _post(server, example)
    assert status == 200, answer
    assert len(answer["predictions"]) == ROWS.height


@pytest.mark.slow
def test_the_served_model_rejects_by_column_without_the_value(server: str, book: Book) -> None:
    status, answer = _post(server, {"dataframe_records": [{"income": "4711-secret"}]})
    assert status == 400
    assert "column 'income' must hold numbers or be missing" in json.dumps(answer)
    status, answer = _post(server, {"dataframe_records": [{"term": 36}]})
    assert status == 400
    assert "missing required columns: income" in json.dumps(answer)
    assert "4711-secret" not in (book.settings.home / "serve.log").read_text()


def _wait_for(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            return urllib.request.urlopen(url, timeout=PATIENCE_SECONDS).status == 200
        except OSError:
            return False

    until(answers, log.read_text)


def _post(server: str, body: Any) -> tuple[int, Any]:
    request = urllib.request.Request(
        f"{server}/invocations", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())

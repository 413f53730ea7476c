import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import polars as pl
import pytest
from mlflow.models import get_model_info

from loan_platform.adapters.home import ensure_home
from loan_platform.adapters.ledger import Ledger
from loan_platform.adapters.registry import PRODUCTION, STAGING, Registry, RegistryError, Version
from loan_platform.adapters.tracking import Dataset, Tracking, requirements
from loan_platform.core.answers import Answers
from loan_platform.core.scoring import ScoringModel
from loan_platform.settings import Settings
from loan_platform_tests.bundles import every_type, make_bundle, typed_rows

ROWS = typed_rows()
ANSWER = ["probability", "score", "risk", "decision", "expected_loss", "reasons"]


@dataclass(frozen=True)
class Book:
    """A book with two logged models in an embedded MLflow."""

    settings: Settings
    tracking: Tracking
    run_id: str
    model: ScoringModel
    uris: tuple[str, str]
    hashes: tuple[str, str]

    @property
    def registry(self) -> Registry:
        return Registry(self.tracking)


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Book]:
    home = tmp_path_factory.mktemp("home")
    settings = Settings.from_environment({"LOAN_PLATFORM_HOME": str(home)})
    ensure_home(settings)
    tracking = Tracking(settings.tracking_uri, settings.mlartifacts)
    model, first = make_bundle(home / "first" / "bundle")
    _, second = make_bundle(home / "second" / "bundle", slope=0.2)
    columns = every_type().application_columns(use_pricing=False)
    environment = dict(os.environ)
    mlflow.set_tracking_uri(tracking.uri)
    mlflow.set_registry_uri(tracking.uri)
    with mlflow.start_run(experiment_id=tracking.experiment("book")) as run:
        one = tracking.log_bundle(run.info.run_id, home / "first" / "bundle", first, columns, ROWS)
        other = tracking.log_bundle(run.info.run_id, home / "second" / "bundle", second, columns, ROWS)
    yield Book(settings, tracking, run.info.run_id, model, (one, other), (first, second))
    mlflow.set_tracking_uri("")
    os.environ.clear()
    os.environ.update(environment)


def test_a_run_keeps_what_is_logged_to_it(book: Book, tmp_path: Path) -> None:
    run, parts = book.tracking.client().create_run(book.tracking.experiment("book")), {"training": 123, "test": 45}
    book.tracking.log(
        run.info.run_id,
        params={"families": ("scorecard", "mlp"), "trials": 10, **{f"p{i}": i for i in range(150)}},
        metrics={"auc": 0.71},
        tags={"dagster_run_id": "abc"},
        datasets=[Dataset("loan_features", "0" * 64, "/lake/x", n, name) for name, n in parts.items()],
        files={"plots/roc.png": b"\x89PNG", "tables/importance.json": "{}"},
    )
    client = book.tracking.client()
    found = client.get_run(run.info.run_id)
    assert found.data.params["families"] == '["scorecard", "mlp"]'
    assert len(found.data.params) == 152
    assert found.data.metrics == {"auc": 0.71}
    assert found.data.tags["dagster_run_id"] == "abc"
    assert found.inputs is not None
    logged = {i.tags[0].value: json.loads(i.dataset.profile or "") for i in found.inputs.dataset_inputs}
    assert logged == {name: {"num_rows": rows, "sha256": "0" * 64} for name, rows in parts.items()}
    plots = Path(client.download_artifacts(run.info.run_id, "plots", str(tmp_path)))
    assert (plots / "roc.png").read_bytes() == b"\x89PNG"


def test_files_are_in_the_home_not_in_the_working_directory(book: Book) -> None:
    client = book.tracking.client()
    assert str(client.get_run(book.run_id).info.artifact_uri).startswith(book.settings.mlartifacts.as_uri())
    assert book.tracking.experiment("book") == book.tracking.experiment("book")
    assert not Path("mlruns").exists()


def test_the_logged_model_is_json_and_code(book: Book) -> None:
    files = [p for p in book.settings.mlartifacts.rglob("*") if p.is_file() and "models" in p.parts]
    assert {p.suffix for p in files} <= {".json", ".py", ".yaml", ".yml", ".txt", ""}
    assert not [p for p in files if "pickle" in p.name or p.suffix == ".pkl"]
    info = get_model_info(book.uris[0])
    assert info.signature is not None
    assert info.signature.inputs.input_names() == [
        "income",
        "utilisation",
        "term",
        "owner",
        "opened",
        "region",
    ]
    assert info.signature.outputs.input_names() == ANSWER
    assert info.metadata is not None
    assert info.metadata["columns"]["opened"] == {"type": "date", "description": "opened", "required": False}
    assert info.metadata["bundle_sha256"] == book.hashes[0]
    assert [line.partition("==")[0] for line in requirements()][:2] == ["loan-platform", "mlflow"]


def test_no_model_is_logged_to_a_run_that_is_not_active(book: Book, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="not the active one"):
        book.tracking.log_bundle(book.run_id, tmp_path, "0" * 64, [], ROWS)


def test_registering_is_idempotent_by_content(book: Book) -> None:
    first = register(book, 0)
    assert first.aliases == (STAGING,)
    assert first.sha256 == book.hashes[0]
    assert first.run_id == book.run_id
    second = register(book, 1)
    assert second.version == first.version + 1
    again = register(book, 0)
    assert (again.version, again.aliases) == (first.version, (STAGING,))
    assert len(book.tracking.client().search_model_versions("name = 'book'")) == 2
    with pytest.raises(RegistryError, match="book has no version 99"):
        book.registry.version("book", 99)


def test_the_alias_is_repaired_to_what_the_ledger_says(book: Book, tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    ledger.create()
    first, second = register(book, 0), register(book, 1)
    registry, who = book.registry, {"actor": "test", "run_id": "r", "verdict": {}}
    assert registry.reconcile(ledger, "book") is None
    ledger.promote("book", first.version, first.sha256, expected_epoch=0, **who)
    champion = registry.reconcile(ledger, "book")
    assert champion is not None
    assert (champion.version, champion.epoch) == (first.version, 1)
    registry.set_alias("book", PRODUCTION, second.version)  # somebody moves it by hand
    registry.reconcile(ledger, "book")
    mirrored = registry.alias("book", PRODUCTION)
    assert mirrored is not None
    assert mirrored.version == first.version
    ledger.promote("book", second.version, first.sha256, expected_epoch=1, **who)
    with pytest.raises(RegistryError, match=f"the ledger promoted {first.sha256}"):
        registry.reconcile(ledger, "book")
    assert registry.alias("book", PRODUCTION) == mirrored
    registry.tag("book", first.version, {"verdict": "Promoted."})
    assert registry.version("book", first.version).tags["verdict"] == "Promoted."


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
    assert reasons == Answers(book.model).of(ROWS)["reasons"].to_list()
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
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
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
def test_the_served_model_refuses_by_column_name_without_the_value(server: str, book: Book) -> None:
    status, answer = _post(server, {"dataframe_records": [{"income": "4711-secret"}]})
    assert status == 400
    assert "column 'income' must hold numbers or be missing" in json.dumps(answer)
    status, answer = _post(server, {"dataframe_records": [{"term": 36}]})
    assert status == 400
    assert "missing required columns: income" in json.dumps(answer)
    assert "4711-secret" not in (book.settings.home / "serve.log").read_text()


def register(book: Book, number: int) -> Version:
    return book.registry.register("book", book.uris[number], book.hashes[number], book.run_id)


def _wait_for(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(600):
        assert process.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(url, timeout=5)
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail(log.read_text())


def _post(server: str, body: Any) -> tuple[int, Any]:
    request = urllib.request.Request(
        f"{server}/invocations", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())

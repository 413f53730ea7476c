"""What the running service answers: the batch's numbers, in every form and to every client."""

import json
from importlib.metadata import version
from typing import Any

import bentoml
import httpx
import pytest
from mlflow.pyfunc.scoring_server.client import ScoringServerClient

from bento.scoring import MAX_MICRO_BATCH_ROWS
from loan_platform.core.scoring.predictor import Predictor
from loan_platform_tests.support.bundles import typed_rows
from loan_platform_tests.support.service.running import Home, bodies

pytestmark = pytest.mark.slow

ROWS = typed_rows()
BODIES = bodies(ROWS)
CANARY = "Kanarienvogel"


@pytest.fixture(scope="module")
def predictor(home: Home) -> Predictor:
    from loan_platform.core.scoring.bundle import load_bundle

    (bundle,) = home.settings.models.glob("*/bundle")
    return Predictor(load_bundle(bundle).model)


def test_each_answer_is_that_of_the_batch_to_the_bit(service: httpx.Client, predictor: Predictor) -> None:
    batch = predictor.predict_frame(ROWS)
    for body, row in zip(BODIES, batch.to_dicts(), strict=True):
        answer = service.post("/api/v1/predict", json=body)
        assert answer.status_code == 200, answer.text
        data = answer.json()["data"]
        assert data["probability"] == row["probability"]
        assert data["decision"] == row["decision"]
        assert data["default_risk"] == row["risk"].capitalize()
        assert data["expected_loss"] == row["expected_loss"]
        assert data["score"] == round(row["score"], 1)
        assert data["prediction"] == int(row["decision"] == "decline")
        assert [r["code"] for r in data["reasons"]] == [r["code"] for r in row["reasons"]]
        assert data["policy_version"] == predictor.model.policy.version
        assert (data["model_version"], data["features_used"]) == (1, 6)
        assert data["request_id"] == answer.headers["x-request-id"]
        assert service.post("/predict", json=body).json() == {"probability": row["probability"]}


def test_reasons_are_given_for_any_decision_on_request(service: httpx.Client, predictor: Predictor) -> None:
    for body, row in zip(BODIES, ROWS.iter_slices(1), strict=True):
        told = service.post("/api/v1/predict?explain=true", json=body).json()["data"]["reasons"]
        expected = predictor.predict_one(row, explain=True).reasons
        assert [(r["code"], r["text"], r["points"]) for r in told] == [(r.code, r.text, r.points) for r in expected]


@pytest.mark.parametrize("form", ["dataframe_split", "dataframe_records", "inputs", "instances"])
def test_every_form_of_mlflow_is_answered_as_the_batch(service: httpx.Client, predictor: Predictor, form: str) -> None:
    body: dict[str, Any] = {
        "dataframe_split": {"columns": ROWS.columns, "data": [list(row.values()) for row in BODIES]},
        "dataframe_records": BODIES,
        "inputs": {name: [row[name] for row in BODIES] for name in ROWS.columns},
        "instances": BODIES,
    }
    answer = service.post("/invocations", json={form: body[form]})
    assert answer.status_code == 200, answer.text
    assert answer.json()["predictions"] == predictor.predict_frame(ROWS).to_dicts()
    assert service.get("/ping").status_code == 200
    assert service.get("/version").text == version("mlflow")


@pytest.mark.parametrize("rows", [1, MAX_MICRO_BATCH_ROWS, MAX_MICRO_BATCH_ROWS + 1])
def test_few_rows_are_answered_as_many(service: httpx.Client, predictor: Predictor, rows: int) -> None:
    for start in range(0, len(BODIES), rows):
        body = {"dataframe_records": BODIES[start : start + rows]}
        answer = service.post("/invocations", json=body)
        assert answer.json()["predictions"] == predictor.predict_frame(ROWS[start : start + rows]).to_dicts()
    assert service.post("/invocations", json={"dataframe_records": []}).json() == {"predictions": []}


def test_rows_as_csv_are_answered_as_rows_in_json(service: httpx.Client, predictor: Predictor) -> None:
    written = ROWS.write_csv().replace("1.0,", "1,", 1)
    answer = service.post("/invocations", content=written, headers={"content-type": "text/csv; charset=utf-8"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["predictions"] == predictor.predict_frame(ROWS).to_dicts()


def test_mlflow_s_own_client_is_answered(service: httpx.Client, predictor: Predictor) -> None:
    client = ScoringServerClient(service.base_url.host, service.base_url.port)
    client.wait_server_ready(10)
    found = client.invoke(ROWS.to_pandas()).get_predictions()  # with NaN and NaT for what is missing
    assert list(found["probability"]) == predictor.predict_frame(ROWS)["probability"].to_list()
    assert client.get_version() == version("mlflow")


def test_bentoml_s_own_client_is_answered(service: httpx.Client, predictor: Predictor) -> None:
    client = bentoml.SyncHTTPClient(str(service.base_url))
    assert client.is_ready(5)
    answer = client.request("POST", "/api/v1/predict", json=BODIES[0])
    assert answer.json()["data"]["probability"] == predictor.predict_frame(ROWS)["probability"][0]


def test_rows_are_converted_as_loosely_as_mlflow_does(service: httpx.Client) -> None:
    def predictions(row: dict[str, Any]) -> list[Any]:
        answer = service.post("/invocations", json={"instances": [row]})
        assert answer.status_code == 200, answer.text
        return answer.json()["predictions"]

    strict = {"income": 1.0, "owner": True, "opened": "2015-06-30"}
    assert predictions(strict) == predictions({"income": True, "owner": 1, "opened": "2015-06-30T00:00:00.000"})


def test_the_document_is_that_of_the_contract(service: httpx.Client) -> None:
    document = service.get("/docs.json").json()
    application = document["components"]["schemas"]["Application"]
    assert application["required"] == ["income"]
    assert set(application["properties"]) == {"loan_id", *ROWS.columns}
    assert application["properties"]["opened"] == {
        "type": ["string", "null"],
        "format": "date",
        "pattern": "^(19[0-9]{2}|20[0-9]{2}|2100)-[0-9]{2}-[0-9]{2}$",
        "description": "opened",
        "x-read-by-model": True,
    }
    assert service.post("/api/v1/predict", json=application["examples"][0]).status_code == 200


def test_metrics_count_what_was_answered(service: httpx.Client) -> None:
    def answered() -> float:
        lines = service.get("/metrics").text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith("loan_predictions_total{"))

    before = answered()
    for body in BODIES[:7]:
        service.post("/predict", json=body)
    service.post("/predict", json={})
    assert answered() == before + 7


def test_the_model_tells_who_it_is(service: httpx.Client, predictor: Predictor) -> None:
    info = service.get("/api/v1/model/info").json()
    assert (info["name"], info["version"], info["family"]) == ("tiny_loans", 1, "scorecard")
    assert info["decision_policy"] == json.loads(predictor.model.policy.model_dump_json())
    assert info["last_refusal"] is None

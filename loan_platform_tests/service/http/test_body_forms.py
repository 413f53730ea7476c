"""Bodies as honest clients write them: each is answered like the plain form, or refused with one true sentence."""

import json
from typing import Any

import httpx
import pytest

from bento.http.bodies import FORMS
from loan_platform_tests.support.bundles import typed_rows
from loan_platform_tests.support.service.batch_jobs import BATCH, ended
from loan_platform_tests.support.service.running import bodies

pytestmark = pytest.mark.slow

ROWS = typed_rows().head(12)
BODIES = bodies(ROWS)
BOM = b"\xef\xbb\xbf"
JSON, NDJSON, CSV = "application/json", "application/x-ndjson", "text/csv"
TABLE = ROWS.write_csv().encode()
LINES = b"\n".join(json.dumps(row).encode() for row in BODIES)

Body = tuple[str, str, bytes]

SINGLE: dict[str, Body] = {
    "predict": ("/api/v1/predict", JSON, json.dumps(BODIES[0]).encode()),
    "probability": ("/predict", JSON, json.dumps(BODIES[0]).encode()),
    "rows": ("/invocations", JSON, json.dumps({"instances": BODIES}).encode()),
    "csv_rows": ("/invocations", CSV, TABLE),
}
FILES: dict[str, Body] = {
    "list": (BATCH, JSON, json.dumps(BODIES).encode()),
    "object": (BATCH, JSON, json.dumps({"applications": BODIES}).encode()),
    "lines": (BATCH, NDJSON, LINES),
    "csv": (BATCH, CSV, TABLE),
}


def answered(service: httpx.Client, path: str, media: str, content: bytes, **headers: str) -> Any:
    """The answer without what differs from request to request."""
    answer = service.post(path, content=content, headers={"content-type": media, **headers})
    if path == BATCH:
        job = ended(service, answer)
        assert (job["status"], job["refused_rows"]) == ("SUCCEEDED", 0), job
        return job["answers"]
    assert answer.status_code == 200, answer.text
    found = answer.json()
    found.get("data", {}).pop("request_id", None)
    return found


@pytest.mark.parametrize("name", SINGLE | FILES)
def test_a_byte_order_mark_changes_nothing(service: httpx.Client, name: str) -> None:
    path, media, content = (SINGLE | FILES)[name]
    assert answered(service, path, media, BOM + content) == answered(service, path, media, content)


def test_marks_of_joined_json_lines_are_skipped(service: httpx.Client) -> None:
    first, second = LINES.split(b"\n", 1)
    joined = BOM + first + b"\n" + BOM + second  # of two files with a mark each
    assert answered(service, BATCH, NDJSON, joined) == answered(service, BATCH, NDJSON, LINES)


@pytest.mark.parametrize("name", ["applications", "instances"])
def test_a_batch_may_name_its_list(service: httpx.Client, name: str) -> None:
    named = json.dumps({name: BODIES}).encode()
    assert answered(service, BATCH, JSON, named) == answered(service, BATCH, JSON, json.dumps(BODIES).encode())


COLUMNS = {name: [row[name] for row in BODIES] for name in ROWS.columns}
MLFLOW: dict[str, Any] = {
    "split": {"dataframe_split": {"columns": ROWS.columns, "data": [list(row.values()) for row in BODIES]}},
    "split_with_index": {
        "dataframe_split": {
            "columns": ROWS.columns,
            "index": list(range(12)),
            "data": [list(row.values()) for row in BODIES],
        }
    },
    "records": {"dataframe_records": BODIES},
    "records_with_params": {"dataframe_records": BODIES, "params": {}},
    "input_columns": {"inputs": COLUMNS},
    "input_rows": {"inputs": BODIES},
    "instance_columns": {"instances": COLUMNS},
    "instance_rows": {"instances": BODIES},
    "signature": {"signature_name": "serving_default", "instances": BODIES},
}


@pytest.mark.parametrize("name", MLFLOW)
def test_every_documented_form_is_answered(service: httpx.Client, name: str) -> None:
    wanted = answered(service, *SINGLE["rows"])
    assert answered(service, "/invocations", JSON, json.dumps(MLFLOW[name]).encode()) == wanted


UNNAMED: dict[str, Any] = {
    "dataframe_split": {"data": [[1, 2]]},
    "dataframe_records": [[1, 2]],
    "inputs": [[1, 2]],
    "instances": {"income": [1], "term": []},
}


@pytest.mark.parametrize("form", UNNAMED)
def test_another_form_is_refused_with_the_right_one(service: httpx.Client, form: str) -> None:
    answer = service.post("/invocations", json={form: UNNAMED[form]})
    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_form")
    assert answer.json()["detail"] == f"{form} {FORMS[form]}."


def test_a_batch_list_without_its_name_is_refused(service: httpx.Client) -> None:
    for body in ({"rows": BODIES}, {"instances": BODIES, "applications": BODIES}, {"instances": []}, 1):
        answer = service.post(BATCH, json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "unknown_form")
        assert answer.json()["detail"] == (
            'Send a list of at least one application, or {"applications": [...]} or {"instances": [...]} '
            "with no other field."
        )
    cut = service.post(BATCH, content=b"[1,", headers={"content-type": JSON})
    assert cut.json()["detail"] == "The body is not JSON at line 1, column 4."

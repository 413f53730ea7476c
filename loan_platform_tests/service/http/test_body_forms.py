"""Bodies as honest clients write them: each is answered like the plain form, or refused with one true sentence."""

import asyncio
import gzip
import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from bento.http.bodies import FORMS
from bento.http.content_encoding import PART_BYTES, Unpacked
from loan_platform_tests.support.bundles import typed_rows
from loan_platform_tests.support.service.batch_jobs import BATCH, ended
from loan_platform_tests.support.service.in_thread import answering
from loan_platform_tests.support.service.running import Home, bodies

pytestmark = pytest.mark.slow

ROWS = typed_rows().head(12)
BODIES = bodies(ROWS)
BOM = b"\xef\xbb\xbf"
JSON, NDJSON, CSV = "application/json", "application/x-ndjson", "text/csv"
TABLE = ROWS.write_csv().encode()
LINES = b"\n".join(json.dumps(row).encode() for row in BODIES)

Body = tuple[str, str, bytes]


@pytest.fixture(scope="module")
def service(home: Home) -> Iterator[httpx.Client]:
    with answering(home) as client:
        yield client


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


@pytest.mark.parametrize("name", SINGLE | FILES)
def test_a_gzip_body_is_answered_as_the_plain_one(service: httpx.Client, name: str) -> None:
    path, media, content = (SINGLE | FILES)[name]
    half = len(content) // 2
    members = gzip.compress(content[:half]) + gzip.compress(content[half:])  # as pigz and bgzip write
    wanted = answered(service, path, media, content)
    for packed, coding in ((gzip.compress(content), "gzip"), (members, "x-gzip"), (content, "identity")):
        found = answered(service, path, media, packed, **{"content-encoding": coding})
        assert found == wanted


@pytest.mark.parametrize("coding", ["br", "deflate", "zstd", "gzip, gzip", "compress"])
@pytest.mark.parametrize("path", ["/api/v1/predict", BATCH])
def test_another_encoding_is_refused_with_those_that_work(service: httpx.Client, path: str, coding: str) -> None:
    answer = service.post(path, content=b"x", headers={"content-type": JSON, "content-encoding": coding})
    assert (answer.status_code, answer.json()["code"]) == (415, "content_encoding")
    assert answer.json()["detail"] == "Send the body uncompressed, or with Content-Encoding: gzip."
    assert answer.headers["accept-encoding"] == "gzip, identity"


PACKED = gzip.compress(SINGLE["predict"][2])
NO_GZIP = {"plain": SINGLE["predict"][2], "cut": PACKED[:-4], "empty": b"", "more": PACKED + b"more"}


@pytest.mark.parametrize("name", NO_GZIP)
@pytest.mark.parametrize("path", ["/api/v1/predict", "/invocations", BATCH])
def test_a_body_that_is_not_gzip_is_told_so(service: httpx.Client, path: str, name: str) -> None:
    headers = {"content-type": JSON, "content-encoding": "gzip"}
    answer = service.post(path, content=NO_GZIP[name], headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_gzip")


BOMBS = {"/predict": JSON, "/api/v1/predict": JSON, "/invocations": CSV, BATCH: CSV}


@pytest.mark.parametrize("path", BOMBS)
def test_a_gzip_bomb_is_too_large(service: httpx.Client, path: str) -> None:
    zeros = gzip.compress(b"0" * 64_000_000)  # 62 kB, which are below every limit
    bomb = zeros * 9 if path == BATCH else zeros  # 576 MB, above the limit of uploads
    answer = service.post(path, content=bomb, headers={"content-type": BOMBS[path], "content-encoding": "gzip"})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert service.post("/predict", json=BODIES[0]).status_code == 200


def test_a_gzip_bomb_is_unpacked_in_small_parts() -> None:
    bomb = gzip.compress(bytes(200_000_000))

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": bomb, "more_body": False}

    async def total() -> int:
        parts, size = Unpacked(receive), 0
        while (message := await parts())["more_body"]:
            assert len(message["body"]) <= PART_BYTES
            size += len(message["body"])
        return size

    tracemalloc.start()
    try:
        assert asyncio.run(total()) == 200_000_000
        assert tracemalloc.get_traced_memory()[1] < 8 * PART_BYTES
    finally:
        tracemalloc.stop()


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

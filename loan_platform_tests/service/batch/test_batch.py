"""Batch jobs of the running service: every form, every row answered as alone or refused with a reason."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import polars as pl
import pytest

from loan_platform.core.scoring.predictor import Predictor
from loan_platform.core.scoring.scoring_model import ScoringModel
from loan_platform_tests.support.bundles import typed_rows
from loan_platform_tests.support.service.batch_jobs import BATCH, ended, parquet
from loan_platform_tests.support.service.running import Home, bodies, serving
from loan_platform_tests.support.waiting import until

pytestmark = pytest.mark.slow

ROWS = typed_rows()
CANARY = "Kanarienvogel"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def model(home: Home) -> ScoringModel:
    return home.promote(slope=0.1)[0]


@pytest.fixture(scope="module")
def service(home: Home, model: ScoringModel) -> Iterator[httpx.Client]:
    key = home.keys.create("batches")
    with serving(home, LOAN_RATE="unlimited", LOAN_BATCH_MEGABYTES="1") as client:
        client.headers["x-api-key"] = key
        yield client


FORMS = {
    "application/json": json.dumps({"applications": bodies(ROWS)}).encode(),
    "application/x-ndjson": "\n".join(json.dumps(row) for row in bodies(ROWS)).encode(),
    "text/csv": ROWS.write_csv().encode(),
    "application/vnd.apache.parquet": parquet(ROWS),
}


@pytest.mark.parametrize("media", FORMS)
def test_every_form_is_answered_as_the_batch(service: httpx.Client, model: ScoringModel, media: str) -> None:
    told = ended(service, service.post(BATCH, content=FORMS[media], headers={"content-type": media}))
    assert told["status"] == "SUCCEEDED", told
    assert (told["total_predictions"], told["scored"], told["refused_rows"]) == (ROWS.height, ROWS.height, 0)
    assert (told["progress"], told["model_version"]) == (1.0, 1)
    wanted = Predictor(model).predict_frame(ROWS).to_dicts()
    assert [row.pop("row") for row in told["answers"]] == list(range(1, ROWS.height + 1))
    assert [row.pop("key") for row in told["answers"]] == [None] * ROWS.height
    assert told["answers"] == wanted


def test_files_of_answers_hold_all_of_them(service: httpx.Client) -> None:
    rows = ROWS.with_columns(loan_id=pl.format("L{}", pl.int_range(pl.len())))
    told = ended(service, service.post(BATCH, content=rows.write_csv(), headers={"content-type": "text/csv"}))
    path = f"{BATCH}/{told['job_id']}"
    as_parquet = pl.read_parquet(io.BytesIO(service.get(path, params={"format": "parquet"}).content))
    assert as_parquet["key"].to_list() == rows["loan_id"].to_list()
    assert as_parquet.to_dicts() == told["answers"]
    lines = service.get(path, params={"format": "ndjson"}).text.splitlines()
    assert [json.loads(line)["probability"] for line in lines] == as_parquet["probability"].to_list()
    table = pl.read_csv(service.get(path, params={"format": "csv"}).content)
    assert table["decision"].to_list() == as_parquet["decision"].to_list()
    page = service.get(path, params={"offset": 30, "limit": 3}).json()["answers"]
    assert [row["row"] for row in page] == [31, 32, 33]


def test_bad_rows_are_rejected_one_by_one_and_counts_reconcile(service: httpx.Client) -> None:
    lines = [
        "income,term,owner,opened,region",
        "1000,36,true,2015-06-30,north",
        f"{CANARY},36,true,2015-06-30,north",
        ",36,true,2015-06-30,north",
        "1000,36.5,maybe,2015-02-30,north",
        "1000,36",
        '1000,36,true,2015-06-30,"no"rth"',
        "1000,36,,,",
    ]
    told = ended(service, service.post(BATCH, content="\n".join(lines), headers={"content-type": "text/csv"}))
    assert told["status"] == "SUCCEEDED"
    assert (told["total_predictions"], told["scored"], told["refused_rows"]) == (7, 2, 5)
    assert [row["row"] for row in told["answers"]] == [1, 7]
    answer = service.get(f"{BATCH}/{told['job_id']}", params={"part": "refused"})
    found = {(row["row"], row["field"], row["code"]) for row in answer.json()["refused"]}
    assert found == {
        (2, "income", "wrong_type"),
        (3, "income", "required"),
        (4, "term", "wrong_type"),
        (4, "owner", "wrong_type"),
        (4, "opened", "wrong_type"),
        (5, "", "malformed_line"),
        (6, "", "malformed_line"),
    }
    assert CANARY not in answer.text
    broken = b'{"income": 1}\n{"income"\n{"incme": 1}\n\xff\n'
    told = ended(service, service.post(BATCH, content=broken, headers={"content-type": "application/x-ndjson"}))
    assert (told["scored"], told["refused_rows"], told["total_predictions"]) == (1, 3, 4)


def test_a_file_that_cannot_be_read_fails_with_the_reason(service: httpx.Client) -> None:
    def why(content: bytes, media: str) -> str:
        told = ended(service, service.post(BATCH, content=content, headers={"content-type": media}))
        assert told["status"] == "FAILED"
        return told["message"]

    assert "incme is not a field of an application. Did you mean 'income'?" in why(b"incme\n1\n", "text/csv")
    assert "The file is empty" in why(b"", "text/csv")
    assert "Parquet" in why(b"PAR1 and then nothing", "application/vnd.apache.parquet")


BAD = {
    "no_parquet": (b"income", "application/vnd.apache.parquet", 422, "unknown_form"),
    "media": (b"income", "text/plain", 415, "media_type"),
    "no_json": (b"[", "application/json", 400, "malformed_json"),
    "no_list": (b'{"rows": []}', "application/json", 422, "unknown_form"),
    "empty_list": (b"[]", "application/json", 422, "unknown_form"),
    "too_large": (b"income\n" + b"1000\n" * 250_000, "text/csv", 413, "too_large"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_upload_is_told_why_at_once(service: httpx.Client, home: Home, name: str) -> None:
    content, media, status, code = BAD[name]
    answer = service.post(BATCH, content=content, headers={"content-type": media})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    stream = iter([content[:1_000], content[1_000:]])  # without a length
    answer = service.post(BATCH, content=stream, headers={"content-type": media})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert not list(home.settings.cache.glob("jobs/*.partial"))


def test_a_job_is_its_makers_alone_and_goes_when_it_is_deleted(service: httpx.Client, home: Home) -> None:
    told = ended(service, service.post(BATCH, content=b"income\n1\n", headers={"content-type": "text/csv"}))
    path = f"{BATCH}/{told['job_id']}"
    other = {"x-api-key": home.keys.create("other")}
    narrow = {"x-api-key": home.keys.create("narrow", ("predict",))}
    until(lambda: service.get(path, headers=narrow).json()["code"] == "not_in_scope")  # now it knows the new keys
    assert service.get(path, headers=other).json()["code"] == "unknown_job"
    assert service.delete(path, headers=other).status_code == 404
    assert service.get(f"{BATCH}/..%2f..").status_code == 404
    assert service.get(path, params={"limit": "0"}).json()["code"] == "unknown_parameter"
    assert service.put(path).json()["code"] == "method_not_allowed"
    assert service.delete(path).status_code == 204
    assert service.get(path).status_code == 404
    assert not Path(home.settings.cache, "jobs", told["job_id"]).exists()


def test_rows_that_look_like_others_do_not_disturb_them(service: httpx.Client) -> None:
    lines = b'{"income": 1}\n{"income":\r2}\nx\rfoo\tbar\ny\r1\t{"income": 3}\n'
    told = ended(service, service.post(BATCH, content=lines, headers={"content-type": "application/x-ndjson"}))
    assert (told["status"], told["scored"], told["refused_rows"]) == ("SUCCEEDED", 2, 2)
    assert [row["row"] for row in told["answers"]] == [1, 2]


def test_a_file_without_one_sound_line_refuses_them_all(service: httpx.Client) -> None:
    told = ended(service, service.post(BATCH, content=b"income,term\n1\n1,2,3\n", headers={"content-type": "text/csv"}))
    assert (told["status"], told["scored"], told["refused_rows"]) == ("SUCCEEDED", 0, 2)

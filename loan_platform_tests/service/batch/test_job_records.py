"""Records of batch jobs: written before an answer can be fetched, replayed to the bit, and tampering is found."""

import os
import shutil
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

from loan_platform.adapters.audit.job_records import ROW, STORED, job_file
from loan_platform.adapters.audit.keys import AuditKey
from loan_platform_tests.support.service.audited import CANARY, PERSONAL, ROWS, audit_of, command, records_of
from loan_platform_tests.support.service.batch_jobs import BATCH, ended
from loan_platform_tests.support.service.in_thread import answering
from loan_platform_tests.support.service.running import Home, serving

pytestmark = pytest.mark.slow


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.promote(0.1)
    AuditKey.create(audit_of(home).key)
    return home


def done(client: httpx.Client) -> dict[str, Any]:
    """A job of the rows, with one between them that is refused."""
    return ended(client, client.post(BATCH, json=[*ROWS[:5], {"income": "none"}, *ROWS[5:]]))


def done_with(home: Home, **more: str) -> dict[str, Any]:
    """That job, worked on by the process of batch jobs, with these settings."""
    with answering(home, **more) as client:
        return done(client)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, dict[str, Any]]:
    """A home after one job of the running service, inputs omitted, and its answer; tests that change it take a copy."""
    home = Home(tmp_path_factory.mktemp("finished"))
    home.promote(0.1)
    AuditKey.create(audit_of(home).key)
    with serving(home, LOAN_ENV="development") as client:
        return home, done(client)


@pytest.fixture
def copied(finished: tuple[Home, dict[str, Any]], tmp_path: Path) -> tuple[Home, str]:
    """A copy of that home, and the job's id."""
    home, told = finished
    return Home(Path(shutil.copytree(home.root, tmp_path / "copied"))), told["job_id"]


def recorded_jobs(home: Home) -> list[tuple[dict[str, Any], pl.DataFrame]]:
    records = records_of(home)
    return [job for chain in records.chains() for job in records.jobs(chain)]


@pytest.mark.parametrize("inputs", ["omitted", "encrypted", "plain"])
def test_each_answer_of_a_job_has_a_record_that_replays(
    home: Home, finished: tuple[Home, dict[str, Any]], inputs: str
) -> None:
    home, told = finished if inputs == "omitted" else (home, done_with(home, LOAN_AUDIT_INPUTS=inputs))
    assert (told["status"], told["scored"], told["refused_rows"]) == ("SUCCEEDED", len(ROWS), 1)
    ((line, rows),) = recorded_jobs(home)
    assert (line["job"], line["scored"], line["refused"], line["inputs"]) == (told["job_id"], len(ROWS), 1, inputs)
    assert line["model_sha256"] == told["model_sha256"]
    for recorded, answer in zip(rows.iter_rows(named=True), told["answers"], strict=True):
        same = ("row", "probability", "score", "risk", "decision", "expected_loss")
        assert {name: recorded[name] for name in same} == {name: answer[name] for name in same}
        assert recorded["reasons"] == [
            {name: reason[name] for name in ("code", "points")} for reason in answer["reasons"]
        ]
    assert command(home, "verify").returncode == 0
    if inputs != "plain":
        assert [value for value in PERSONAL if value in str(rows.to_dicts())] == []
    for row in (1, len(ROWS) + 1):
        replayed = command(home, "replay", f"{told['job_id']}.{row}")
        if inputs == "omitted":
            assert (replayed.returncode, f"{told['job_id']}.{row}" in replayed.stderr) == (2, True)
        else:
            assert (replayed.returncode, "the same bits" in replayed.stdout) == (0, True), replayed.stderr
            stored = records_of(home).stored_application(records_of(home).find(f"{told['job_id']}.{row}"))
            assert stored is not None
            assert stored.entity == f"{CANARY}-{0 if row == 1 else len(ROWS) - 1}"
    assert command(home, "replay", f"{told['job_id']}.6").returncode == 2  # which was refused


def test_a_changed_or_missing_file_of_rows_is_found(copied: tuple[Home, str]) -> None:
    home, job = copied
    path = job_file(audit_of(home).directory, job)
    pl.read_parquet(path).with_columns(decision=pl.lit("approve")).write_parquet(path)
    verified = command(home, "verify")
    assert (verified.returncode, f"jobs/{job}.parquet" in verified.stdout) == (1, True)
    assert "was changed" in verified.stdout
    assert command(home, "replay", f"{job}.1").returncode == 2
    assert recorded_jobs(home) == []
    path.unlink()
    assert "is missing, and no line says why" in command(home, "verify").stdout


@pytest.mark.parametrize(("fail", "status"), [("closed", "FAILED"), ("open", "SUCCEEDED")])
def test_an_unrecorded_job_gives_answers_only_if_it_may(home: Home, fail: str, status: str) -> None:
    audit_of(home).directory.mkdir(parents=True)
    job_file(audit_of(home).directory, "").parent.write_bytes(b"in the way")
    told = done_with(home, LOAN_AUDIT_FAIL=fail)
    assert told["status"] == status
    assert ("answers" in told) == (fail == "open")
    verified = command(home, "verify")
    assert (f" {len(ROWS)} responses without a record" in verified.stdout) == (fail == "open")
    if fail == "closed":
        assert told["message"] == "The answers cannot be recorded: the records cannot be written: File exists."


def test_old_files_of_rows_go_and_the_chain_says_so(copied: tuple[Home, str]) -> None:
    home, job = copied
    path = job_file(audit_of(home).directory, job)
    os.utime(path, (0, 0))
    later = done_with(home, LOAN_AUDIT_KEEP_DAYS="30")["job_id"]
    assert [found.stem for found in path.parent.iterdir()] == [later]
    assert command(home, "verify").returncode == 0


def test_rows_hold_nothing_but_what_is_recorded(finished: tuple[Home, dict[str, Any]]) -> None:
    home, told = finished
    rows = pl.read_parquet(job_file(audit_of(home).directory, told["job_id"]))
    assert rows.columns == [ROW, "probability", "score", "risk", "decision", "expected_loss", "reasons", STORED]
    assert rows[STORED].null_count() == rows.height

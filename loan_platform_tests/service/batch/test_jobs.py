"""Folders of jobs: what is deleted stays so, and what is old or left over goes."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from bento.batch.input import InputLimits
from bento.batch.job_run import JobRun, Outcome
from bento.batch.jobs import MODEL_WITHDRAWN, OPEN_JOBS, Job, JobStore
from bento.batch.records import JobRecords
from loan_platform.settings.audit import AuditSettings


def made(store: JobStore) -> Job:
    draft, bundle = store.draft(), store.folder.parent / "bundle"
    bundle.mkdir(exist_ok=True)
    return store.add(draft, bundle, owner="", media="text/csv", version=1, sha256="0" * 64)


def names(store: JobStore) -> list[str]:
    """What is in the folder of the jobs, beside the marks of open ones."""
    return sorted(path.name for path in store.folder.iterdir() if path.name != OPEN_JOBS)


def marks(store: JobStore) -> list[str]:
    """The jobs that are marked as open."""
    return sorted(path.name for path in (store.folder / OPEN_JOBS).iterdir())


def test_a_deleted_job_is_not_made_again_by_who_works_on_it(tmp_path: Path) -> None:
    store = JobStore(tmp_path / "jobs", 10**9)
    job = made(store)
    store.delete(job)
    store.delete(job)
    store.save(replace(job, status="FAILED"))
    assert names(store) == []


def test_cancelled_jobs_and_unfinished_uploads_are_removed(tmp_path: Path) -> None:
    store = JobStore(tmp_path / "jobs", 10**9)
    cancelled, waiting = made(store), made(store)
    store.save(replace(cancelled, created=0.0))
    store.save(replace(waiting, created=0.0))
    store.cancel(cancelled)
    (store.folder / ("0" * 32) / "parts").mkdir(parents=True)  # deleted while a piece was written
    draft = store.draft()
    left = draft.with_name(draft.name.replace(draft.name.split("~")[1], str(2**22 + 1)))  # no process has this id
    draft.rename(left)
    store.clear(days=1)
    assert names(store) == [waiting.id]


def test_rows_are_counted_over_all_jobs(tmp_path: Path) -> None:
    store = JobStore(tmp_path / "jobs", 10**9)
    assert store.rows() == (0, 0)
    store.delete(made(store))
    store.count_rows(scored=5, refused=1)
    store.count_rows(scored=2, refused=0)
    assert store.rows() == (7, 1)
    assert list(store.all()) == []


def test_inputs_are_removed_with_a_job_whose_process_was_killed(tmp_path: Path) -> None:
    store = JobStore(tmp_path / "jobs", 10**9)
    finished, cancelled, waiting = made(store), made(store), made(store)
    for job in (finished, cancelled, waiting):
        (store.path(job.id) / "input").write_text("1")
    store.save(replace(finished, status="SUCCEEDED", starts=1, finished=finished.created))
    store.cancel(cancelled)
    store.clear(days=1)
    left = [job.id for job in store.all() if (store.path(job.id) / "input").exists()]
    assert left == [waiting.id]
    assert len(list(store.all())) == 3


def test_open_jobs_of_a_withdrawn_model_fail(tmp_path: Path) -> None:
    store = JobStore(tmp_path / "jobs", 10**9)
    finished, running, waiting = made(store), made(store), made(store)
    store.save(replace(finished, status="SUCCEEDED"))
    store.save(replace(running, status="RUNNING", starts=1))
    store.withdraw(lambda job: job.version == 2)
    assert store.get(running.id) == replace(running, status="RUNNING", starts=1)
    store.withdraw(lambda job: job.version == 1)
    later = made(store)
    states = {job.id: (job.status, job.why) for job in store.all()}
    assert states[finished.id] == ("SUCCEEDED", None)
    assert states[running.id] == states[waiting.id] == ("FAILED", MODEL_WITHDRAWN)
    assert states[later.id] == ("PENDING", None)
    records = JobRecords("book", AuditSettings.for_portfolio("book", {"LOAN_PLATFORM_HOME": str(tmp_path)}))
    run = JobRun(store, records, running, InputLimits(10**6, 10), os.getppid())  # whose process had not seen it yet
    assert run.slice(0) is Outcome.FAILED
    ended = store.get(running.id)
    assert ended is not None
    assert (ended.status, ended.why, ended.scored) == ("FAILED", MODEL_WITHDRAWN, 0)


def test_open_jobs_are_the_oldest_first_and_ended_ones_left_out(tmp_path: Path) -> None:
    store = JobStore(tmp_path / "jobs", 10**9)
    assert store.open() == []
    late, early, cancelled, ended = (replace(made(store), created=created) for created in (3.0, 2.0, 1.0, 0.0))
    for job in (late, early, cancelled):
        store.save(job)
    store.save(replace(ended, status="FAILED"))
    for _ in range(2):  # what has ended is remembered
        store.cancel(cancelled)
        assert [job.id for job in store.open()] == [early.id, late.id]
    store.save(replace(early, status="SUCCEEDED"))
    store.delete(ended)
    new = made(store)
    assert [job.id for job in store.open()] == [late.id, new.id]


def test_only_open_jobs_are_marked(tmp_path: Path) -> None:
    store = JobStore(tmp_path / "jobs", 10**9)
    ended, deleted, cancelled, withdrawn, waiting = (made(store) for _ in range(5))
    assert len(marks(store)) == 5
    store.save(replace(ended, status="SUCCEEDED"))
    store.save(replace(withdrawn, version=2))
    store.delete(deleted)
    store.cancel(cancelled)
    store.withdraw(lambda job: job.version == 2)
    assert marks(store) == [waiting.id]


def test_marks_of_an_earlier_release_are_made_at_the_start(tmp_path: Path) -> None:
    store = JobStore(tmp_path / "jobs", 10**9)
    waiting, ended = made(store), made(store)
    store.save(replace(ended, status="SUCCEEDED", finished=ended.created))
    (store.folder / OPEN_JOBS / waiting.id).unlink()
    (store.folder / OPEN_JOBS / ended.id).touch()  # its process was killed before it removed the mark
    assert store.open() == []
    store.clear(days=1_000)
    assert [job.id for job in store.open()] == marks(store) == [waiting.id]


@pytest.mark.attack("machine", "a job's file names another job", before="one job's state is written over another's")
def test_a_job_that_says_it_is_another_is_not_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = JobStore(tmp_path / "jobs", 10**9)
    one, other = made(store), made(store)
    copied = (store.path(other.id) / "job.json").read_bytes()
    (store.path(one.id) / "job.json").write_bytes(copied)
    assert store.get(one.id) is None
    assert [job.id for job in store.open()] == [other.id]
    assert "says that it is another one" in caplog.text

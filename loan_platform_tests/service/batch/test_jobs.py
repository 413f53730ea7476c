"""Folders of jobs: what is deleted stays so, and what is old or left over goes."""

import os
from dataclasses import replace
from pathlib import Path

from bento.batch.jobs import MODEL_WITHDRAWN, Job, JobStore
from bento.batch.records import JobRecords
from bento.batch.runner import work
from loan_platform.settings.audit import AuditSettings


def made(store: JobStore) -> Job:
    draft, bundle = store.draft(), store.folder.parent / "bundle"
    bundle.mkdir(exist_ok=True)
    return store.add(draft, bundle, owner="", media="text/csv", version=1, sha256="0" * 64)


def test_a_deleted_job_is_not_made_again_by_who_works_on_it(tmp_path: Path) -> None:
    store = JobStore(tmp_path / "jobs", 10**9)
    job = made(store)
    store.delete(job)
    store.delete(job)
    store.save(replace(job, status="FAILED"))
    assert not list(store.folder.iterdir())


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
    assert [path.name for path in store.folder.iterdir()] == [waiting.id]


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
    ended = work(store, records, running, 10**6, os.getppid())  # whose process had not seen it yet
    assert (ended.status, ended.why, ended.scored) == ("FAILED", MODEL_WITHDRAWN, 0)

"""Keys share the process for jobs: who sent little does not wait until all of another key's rows are done."""

import os
from pathlib import Path

import pytest

from bento.batch.fair_queue import FairQueue
from bento.batch.input import NDJSON, InputLimits, Pieces
from bento.batch.job_run import Outcome
from bento.batch.jobs import MAX_STARTS, Job, JobStore
from bento.batch.records import JobRecords
from bento.batch.runner import JobSlices
from loan_platform.settings.audit import AuditSettings
from loan_platform_tests.support.bundles import make_bundle

LIMITS = InputLimits(10**8, 10**6)


def job(number: int, owner: str) -> Job:
    return Job(f"{number:032x}", owner, NDJSON, version=1, sha256="0" * 64, created=number)


class Jobs:
    """A store of jobs, and what works on them in slices of one step."""

    def __init__(self, folder: Path) -> None:
        self.store, self._bundle = JobStore(folder / "jobs", 10**9), folder / "bundle"
        _, self._sha256 = make_bundle(self._bundle)
        settings = AuditSettings.for_portfolio("book", {"LOAN_PLATFORM_HOME": str(folder)})
        self.slices = JobSlices(self.store, JobRecords("book", settings), LIMITS, os.getppid())

    def add(self, owner: str, rows: int) -> Job:
        draft = self.store.draft()
        (draft / "input").write_bytes(b'{"income": 1}\n' * rows)
        return self.store.add(draft, self._bundle, owner=owner, media=NDJSON, version=1, sha256=self._sha256)

    def state(self, job: Job) -> Job:
        found = self.store.get(job.id)
        assert found is not None
        return found


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    return Jobs(tmp_path)


@pytest.mark.attack("client", "one key's large job", before="all other keys wait for its end")
def test_a_small_job_does_not_wait_for_a_large_one(jobs: Jobs) -> None:
    large = jobs.add("greedy", 120_000)
    assert jobs.slices.work(0) is Outcome.OPEN
    small = jobs.add("modest", 3)
    while jobs.state(small).status != "SUCCEEDED":
        assert jobs.slices.work(0) is not None
    assert jobs.state(large).status == "RUNNING"
    while jobs.slices.work(0) is not None:
        pass
    ended = jobs.state(large)
    assert (ended.status, ended.scored, ended.parts, ended.starts) == ("SUCCEEDED", 120_000, 3, 1)


def test_a_job_that_waits_is_not_blamed_for_a_kill(jobs: Jobs) -> None:
    waiting = jobs.add("one", 120_000)
    for _ in range(MAX_STARTS + 1):
        assert jobs.slices.work(0) is Outcome.OPEN  # and then the process is killed in the slice of another job
        assert jobs.state(waiting).stuck == 0
        jobs.slices = JobSlices(
            jobs.store, JobRecords("book", AuditSettings.for_portfolio("book")), LIMITS, os.getppid()
        )


def test_a_job_cancelled_between_slices_keeps_its_rows_counted(jobs: Jobs) -> None:
    large = jobs.add("one", 120_000)
    while jobs.state(large).done == 0:
        jobs.slices.work(0)
    jobs.store.cancel(jobs.state(large))
    assert jobs.slices.work(0) is None
    ended = jobs.state(large)
    assert (ended.status, ended.scored) == ("CANCELLED", 50_000)
    assert not (jobs.store.path(large.id) / "input").exists()


def test_a_job_with_too_many_rows_fails_with_the_limit(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        jobs,
        "slices",
        JobSlices(
            jobs.store, JobRecords("book", AuditSettings.for_portfolio("book")), InputLimits(10**6, 2), os.getppid()
        ),
    )
    posted = jobs.add("one", 3)
    assert jobs.slices.work(10) is Outcome.ENDED
    assert jobs.state(posted).why == "The file has more than the allowed 2 rows. Send several files."


def test_a_job_beyond_the_memory_ends_with_that_reason(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*_: object) -> None:
        raise MemoryError

    posted = jobs.add("one", 3)
    with monkeypatch.context() as patch:
        patch.setattr(Pieces, "read", read)
        assert jobs.slices.work(10) is Outcome.FAILED  # a new process takes the next job
    assert (jobs.state(posted).status, jobs.state(posted).why) == ("FAILED", "The job exceeds the memory limit.")
    following = jobs.add("one", 3)
    assert jobs.slices.work(10) is Outcome.ENDED
    assert jobs.state(following).scored == 3


def test_the_key_that_was_worked_for_least_is_next() -> None:
    queue, greedy, more, modest = FairQueue(), job(1, "greedy"), job(2, "greedy"), job(3, "modest")
    assert queue.next([greedy, more]) is greedy
    queue.worked(greedy, 100)
    assert queue.next([greedy, more, modest]) is greedy  # a key that comes starts at the same time
    queue.worked(greedy, 1)
    assert queue.next([greedy, more, modest]) is modest
    queue.worked(modest, 3)
    assert queue.next([greedy, more, modest]) is greedy


def test_a_key_that_comes_back_has_no_credit_of_before() -> None:
    queue, one, two = FairQueue(), job(1, "one"), job(2, "two")
    for _ in range(3):
        assert queue.next([one]) is one
        queue.worked(one, 50)
    assert queue.next([one, two]) is one
    queue.worked(one, 1)
    for _ in range(2):
        assert queue.next([one, two]) is two
        queue.worked(two, 1)
        assert queue.next([one, two]) is one
        queue.worked(one, 1)

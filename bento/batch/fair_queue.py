"""Which job is worked on next: the keys share the process fairly, however much each of them sent."""

from collections.abc import Sequence

from bento.batch.jobs import Job


class FairQueue:
    """Chooses the key that was worked for least, and of its jobs the oldest.

    A key that comes, or comes back, starts with what the least served waiting key has had: it neither overtakes all
    others for long, nor waits for what they had before.
    """

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}  # of work for each key that has open jobs

    def next(self, jobs: Sequence[Job]) -> Job:
        """The job to work on.

        Args:
            jobs: the open ones, oldest first; at least one.
        """
        owners = {job.owner for job in jobs}
        least = min((self._seconds[owner] for owner in owners if owner in self._seconds), default=0.0)
        self._seconds = {owner: self._seconds.get(owner, least) for owner in owners}
        return min(jobs, key=lambda job: self._seconds[job.owner])

    def worked(self, job: Job, seconds: float) -> None:
        """Count the time that was spent on a job."""
        self._seconds[job.owner] += seconds

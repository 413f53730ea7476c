"""The routes of batch jobs: a file of applications comes, its answers are fetched when they are there."""

import asyncio
from pathlib import Path
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from bento.batch.input import JSON, MEDIA, NDJSON, PARQUET, json_lines
from bento.batch.jobs import Job, JobStore
from bento.batch.output import FORMATS, file_of, page
from bento.batch.worker import BatchWorker
from bento.http.guard import Route
from bento.http.problems import HttpError
from bento.http.responses import json_response
from bento.model.champion import Champions
from loan_platform.adapters.storage.atomic_files import DiskFullError, explained_disk_full, remove

PATH = "/api/v1/predict/batch"
ONE = f"{PATH}/{{job_id}}"
UPLOAD_SECONDS = 300.0
MOST_UPLOADS = 8  # at a time in one worker
JSON_BYTES = 8_000_000
DEFAULT_LIMIT, MOST_LIMIT = 100, 1_000
MESSAGES = {
    "PENDING": "The job waits.",
    "RUNNING": "The job is worked on.",
    "SUCCEEDED": "Every row is answered or refused.",
    "FAILED": "The job cannot be done.",
    "CANCELLED": "The job was cancelled.",
}


def batch_routes(megabytes: int) -> dict[str, Route]:
    """The routes, for uploads of at most so many megabytes."""
    return {
        PATH: Route("POST", "batch", MEDIA, megabytes * 1_000_000, streamed=True),
        ONE: Route("GET", "batch", also="DELETE", streamed=True),
    }


class Batches:
    """Takes jobs and tells of them; a process works on them.

    Args:
        portfolio: whose service this is.
        folder: of the jobs.
        megabytes: of an upload.
        days: that a finished job is kept.
        champions: gives the model in force.
    """

    def __init__(self, portfolio: str, folder: Path, megabytes: int, days: int, champions: Champions) -> None:
        self.store = JobStore(folder, 10 * megabytes * 1_000_000)
        self._champions, self._uploads = champions, 0
        self._worker = BatchWorker(portfolio, self.store, megabytes * 1_000_000, days)

    def start(self) -> None:
        """Go on with what was left, and delete what is old."""
        self._worker.start()

    async def post(self, request: Request) -> Response:
        """Take a job."""
        if self._uploads >= MOST_UPLOADS:
            detail = f"{MOST_UPLOADS} files are being uploaded; ask again."
            raise HttpError(503, "overloaded", detail, headers={"connection": "close", "retry-after": "5"})
        self._uploads += 1
        try:
            return await self._taken(request)
        finally:
            self._uploads -= 1

    async def _taken(self, request: Request) -> Response:
        serving = self._champions.serving
        if serving is None:
            raise HttpError(503, "no_model", "No model answers yet.", headers={"retry-after": "5"})
        if await asyncio.to_thread(self.store.is_full):
            detail = "Finished jobs take all the room there is for them: delete some, or wait until they are old."
            raise HttpError(507, "no_room", detail, headers={"retry-after": "3600"})
        media = request.headers["content-type"].partition(";")[0].strip().lower()
        draft = await asyncio.to_thread(self.store.draft)
        try:
            with explained_disk_full(draft):
                total = await self._receive(request, media, draft / "input")
                job = await asyncio.to_thread(
                    self.store.add,
                    draft,
                    serving.directory,
                    owner=_caller(request),
                    media=NDJSON if media == JSON else media,
                    version=serving.version,
                    sha256=serving.sha256,
                    total=total,
                )
        except DiskFullError:
            detail = "The service's disk is full."
            raise HttpError(507, "no_room", detail, headers={"connection": "close", "retry-after": "3600"}) from None
        finally:
            await asyncio.to_thread(remove, draft)
        answer = {"job_id": job.id, "status": job.status, "message": MESSAGES[job.status], "total_predictions": total}
        return json_response(request, answer, 202, {"location": f"{PATH}/{job.id}"})

    async def _receive(self, request: Request, media: str, path: Path) -> int | None:
        """Write the body to a file; the number of rows where it is JSON."""
        try:
            async with asyncio.timeout(UPLOAD_SECONDS):
                if media == JSON:
                    lines = await asyncio.to_thread(list[bytes], json_lines(await _small(request)))
                    await asyncio.to_thread(path.write_bytes, b"\n".join(lines) + b"\n")
                    return len(lines)
                with path.open("wb") as file:
                    async for part in request.stream():
                        await asyncio.to_thread(file.write, part)
        except TimeoutError:
            detail = f"The body did not arrive within {UPLOAD_SECONDS:g} s."
            raise HttpError(408, "too_slow", detail, headers={"connection": "close"}) from None
        except ClientDisconnect:
            raise HttpError(400, "cut_off", "The connection ended before the body did.") from None
        if media == PARQUET and path.open("rb").read(4) != b"PAR1":
            raise HttpError(422, "unknown_form", "The body is not Parquet.")
        return None

    async def of_job(self, request: Request) -> Response:
        """Tell of a job, give its answers, or end it."""
        job = await asyncio.to_thread(self.store.get, request.path_params["job_id"])
        if job is None or job.owner != _caller(request):
            raise HttpError(404, "unknown_job", "There is no job of this id, or it is another's.")
        if request.method == "DELETE":
            await asyncio.to_thread(self.store.cancel, job)
            return Response(status_code=204, headers={"x-request-id": request.state.request_id})
        asked = _Asked(request)
        path = self.store.path(job.id) / f"{asked.part}.parquet"
        if asked.format is not None:
            if job.status != "SUCCEEDED":
                raise HttpError(409, "not_ready", f"{MESSAGES[job.status]} Files are there once it has succeeded.")
            return file_of(path, f"{job.id}-{asked.part}", asked.format)
        told = _told(job)
        if job.status == "SUCCEEDED":
            rows = await asyncio.to_thread(page, path, asked.offset, asked.limit)
            told |= {"offset": asked.offset, "limit": asked.limit, asked.part: rows}
        return json_response(request, told)

    def counts(self) -> tuple[int, int]:
        """How many jobs wait, and how many are worked on."""
        states = [job.status for job in self.store.all()]
        return states.count("PENDING"), states.count("RUNNING")


class _Asked:
    """What of a job is asked for."""

    def __init__(self, request: Request) -> None:
        given = dict(request.query_params.multi_items())
        known = {"offset", "limit", "format", "part"}
        if set(given) - known or len(given) != len(request.query_params.multi_items()):
            raise HttpError(422, "unknown_parameter", f"The parameters are {', '.join(sorted(known))}, each once.")
        of_media = {media: name for name, media in FORMATS.items()}
        self.part = given.get("part", "answers")
        self.format = given.get("format") or of_media.get(request.headers.get("accept", ""))
        if self.part not in {"answers", "refused"} or self.format not in {None, *FORMATS}:
            detail = f"part is answers or refused, and format {', '.join(FORMATS)}."
            raise HttpError(422, "unknown_parameter", detail)
        self.offset, self.limit = _whole(given.get("offset", "0")), _whole(given.get("limit", str(DEFAULT_LIMIT)))
        if not 1 <= self.limit <= MOST_LIMIT:
            raise HttpError(422, "unknown_parameter", f"limit is from 1 to {MOST_LIMIT:,}.")


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 12):
        raise HttpError(422, "unknown_parameter", "offset and limit are whole numbers.")
    return int(text)


def _told(job: Job) -> dict[str, Any]:
    return {
        "job_id": job.id,
        "status": job.status,
        "message": job.why or MESSAGES[job.status],
        "progress": round(job.progress, 4),
        "total_predictions": job.total,
        "scored": job.scored,
        "refused_rows": job.refused,
        "model_version": job.version,
        "model_sha256": job.sha256,
        "created": job.created,
        "finished": job.finished,
    }


async def _small(request: Request) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > JSON_BYTES:
            detail = f"A job in JSON may have {JSON_BYTES:,} bytes: send NDJSON, CSV or Parquet."
            raise HttpError(413, "too_large", detail, headers={"connection": "close"})
        parts.append(part)
    return b"".join(parts)


def _caller(request: Request) -> str:
    return request.scope["state"].get("key_id", "")

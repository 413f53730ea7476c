"""The endpoints of batch jobs: upload a file of applications, then fetch the answers."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from bento.batch.input import JSON, NDJSON, PARQUET, json_lines
from bento.batch.job_query import JobQuery, columns_from_request
from bento.batch.jobs import Job, JobStore
from bento.batch.output import file_response, read_page
from bento.batch.worker import BatchWorker
from bento.http.key_shares import FairTurns, KeyShares
from bento.http.problems import HttpError
from bento.http.request_info import request_info
from bento.http.responses import json_response
from bento.model.current import CurrentModel
from loan_platform.adapters.storage.atomic_files import DiskFullError, explained_disk_full, remove
from loan_platform.settings.service import LimitSettings

PATH = "/api/v1/predict/batch"
JOB_PATH = f"{PATH}/{{job_id}}"
UPLOAD_SECONDS = 300.0
STALL_SECONDS = 20.0  # without a byte of an upload
MAX_UPLOADS, MAX_UPLOADS_PER_KEY = 32, 8  # at the same time in one worker
MAX_JSON_BYTES = 8_000_000
MESSAGES = {
    "PENDING": "The job is waiting.",
    "RUNNING": "The job is running.",
    "SUCCEEDED": "Each row is answered or rejected.",
    "FAILED": "The job failed.",
    "CANCELLED": "The job was cancelled.",
}


class BatchEndpoints:
    """Takes batch jobs, reports on them and sends their answers. A separate process scores them.

    Args:
        model: gives the model in force.
        folder: of the jobs.
        limits: of an upload, and the days after which a finished job is deleted.
        turns: of requests with large bodies.
        environment: of the process that scores.
    """

    def __init__(
        self,
        model: CurrentModel,
        folder: Path,
        limits: LimitSettings,
        turns: FairTurns,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self.store = JobStore(folder, 10 * limits.batch_bytes)
        self._model, self._turns = model, turns
        self._uploads = KeyShares(MAX_UPLOADS, MAX_UPLOADS_PER_KEY)
        self._worker = BatchWorker(model.portfolio, self.store, limits, self._is_withdrawn, environment)

    def start(self) -> None:
        """Resume open jobs, and delete old ones."""
        self._worker.start()

    def stop(self) -> None:
        """End the process that scores. Open jobs wait for the next start."""
        self._worker.stop()

    def counts(self) -> tuple[int, int]:
        """The numbers of pending and of running jobs, half a second ago at most."""
        return self._worker.counts

    async def create(self, request: Request) -> Response:
        """Create a job from an uploaded file."""
        columns, key = columns_from_request(request, _media(request)), _owner(request)
        if not self._uploads.has_place(key):
            detail = f"{MAX_UPLOADS_PER_KEY} uploads of this key are in progress, or {MAX_UPLOADS} in all. Retry later."
            raise HttpError(503, "overloaded", detail, headers={"connection": "close", "retry-after": "5"})
        with self._uploads.place(key):
            job = await self._upload(request, columns)
        body = {"job_id": job.id, "status": job.status, "message": MESSAGES[job.status], "total_predictions": job.total}
        # Relative to the address of the request, so it is right behind a proxy that serves the service below a path.
        return json_response(request, body, 202, {"location": f"{PATH.rpartition('/')[2]}/{job.id}"})

    async def get(self, request: Request) -> Response:
        """Report the state of a job. Once it has succeeded, send a page or a file of its rows."""
        job = await self._job(request)
        query = JobQuery.from_request(request)
        path = self.store.path(job.id) / f"{query.part}.parquet"
        if query.format is not None:
            if job.status != "SUCCEEDED":
                detail = f"{MESSAGES[job.status]} Files exist once a job has succeeded."
                raise HttpError(409, "not_ready", detail)
            return file_response(path, f"{job.id}-{query.part}", query.format)
        body = _job_json(job)
        if job.status == "SUCCEEDED":
            rows = await asyncio.to_thread(read_page, path, query.offset, query.limit)
            body |= {"offset": query.offset, "limit": query.limit, query.part: rows}
        return json_response(request, body)

    async def delete(self, request: Request) -> Response:
        """Cancel an open job, or delete a finished one."""
        job = await self._job(request)
        await asyncio.to_thread(self.store.cancel, job)
        return Response(status_code=204, headers={"x-request-id": request_info(request.scope).request_id})

    async def _job(self, request: Request) -> Job:
        job = await asyncio.to_thread(self.store.get, request.path_params["job_id"])
        if job is None or job.owner != _owner(request):
            raise HttpError(404, "unknown_job", "No job with this id exists, or it belongs to another key.")
        return job

    async def _upload(self, request: Request, columns: str | None) -> Job:
        self._model.get()
        if await asyncio.to_thread(self.store.is_full, _owner(request)):
            detail = (
                "Finished jobs use all the space for jobs, or your key's half. Delete some, or wait until they expire."
            )
            raise HttpError(507, "no_room", detail, headers={"retry-after": "3600"})
        draft = await asyncio.to_thread(self.store.draft)
        try:
            with explained_disk_full(draft):
                return await self._received_job(request, draft, columns)
        except DiskFullError:
            detail = "The disk of the service is full."
            raise HttpError(507, "no_room", detail, headers={"connection": "close", "retry-after": "3600"}) from None
        finally:
            await asyncio.to_thread(remove, draft)

    async def _received_job(self, request: Request, draft: Path, columns: str | None) -> Job:
        media = _media(request)
        total = await self._receive(request, media, draft / "input")
        serving = self._model.get()  # now: an upload takes minutes, and the model may be withdrawn meanwhile
        job = await asyncio.to_thread(
            self.store.add,
            draft,
            serving.directory,
            owner=_owner(request),
            media=NDJSON if media == JSON else media,
            version=serving.version,
            sha256=serving.sha256,
            total=total,
            columns=columns,
        )
        await asyncio.to_thread(self.store.withdraw, self._is_withdrawn)
        return job

    async def _receive(self, request: Request, media: str, path: Path) -> int | None:
        """Write the body to a file. Returns the number of rows of a JSON body, else None."""
        try:
            async with asyncio.timeout(UPLOAD_SECONDS):
                if media == JSON:
                    body = await _read_json(request)
                    async with self._turns.turn(_owner(request)):
                        return await asyncio.to_thread(_write_lines, body, path)
                with path.open("wb") as file:
                    async for part in _parts(request):
                        await asyncio.to_thread(file.write, part)
        except TimeoutError:
            detail = f"The body did not arrive within {UPLOAD_SECONDS:g} s, or nothing of it for {STALL_SECONDS:g} s."
            raise HttpError(408, "too_slow", detail, headers={"connection": "close"}) from None
        except ClientDisconnect:
            raise HttpError(400, "cut_off", "The connection closed before the whole body arrived.") from None
        if media == PARQUET and path.open("rb").read(4) != b"PAR1":
            raise HttpError(422, "unknown_form", "The body is not Parquet.")
        return None

    def _is_withdrawn(self, job: Job) -> bool:
        champions = self._model.champions
        return champions.withdrawn is not None or job.version in champions.withdrawn_versions


def _media(request: Request) -> str:
    return request.headers["content-type"].partition(";")[0].strip().lower()


def _write_lines(body: bytes, path: Path) -> int:
    lines = list(json_lines(body))
    path.write_bytes(b"\n".join(lines) + b"\n")
    return len(lines)


async def _parts(request: Request) -> AsyncIterator[bytes]:
    """The parts of a body as they arrive. A client that sends nothing for a while holds no place.

    Raises:
        TimeoutError: no part came for `STALL_SECONDS`.
    """
    stream = request.stream()
    while True:
        async with asyncio.timeout(STALL_SECONDS):
            part = await anext(stream, None)
        if part is None:
            return
        yield part


async def _read_json(request: Request) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in _parts(request):
        size += len(part)
        if size > MAX_JSON_BYTES:
            detail = f"The limit of a JSON body is {MAX_JSON_BYTES:,} bytes. Send NDJSON, CSV or Parquet."
            raise HttpError(413, "too_large", detail, headers={"connection": "close"})
        parts.append(part)
    return b"".join(parts)


def _job_json(job: Job) -> dict[str, Any]:
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


def _owner(request: Request) -> str:
    return request_info(request.scope).key_id or ""

"""Micro-batching: applications that wait at the same time are scored and recorded together."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from bento.model.champion import Serving
from bento.model.records import ScoringRequest
from loan_platform.core.applications.reader import ApplicationError
from loan_platform.core.features.row_rules import BrokenRulesError
from loan_platform.core.scoring.answer import Answer

MAX_ROWS = 64  # of one frame: it bounds the time in the queue
GATHER_SECONDS = 0.002  # about the time to score a frame: a longer wait gains nothing

Record = Callable[[Sequence[tuple[ScoringRequest, Answer]]], Coroutine[Any, Any, None]]


class Scored(NamedTuple):
    """An answer whose audit record is being written.

    Attributes:
        answer: must not be sent before `recorded` is done.
        recorded: done when the record is on disk. Raises if it cannot be written and the answer must not be sent.
    """

    answer: Answer
    recorded: Awaitable[None]


class _Waiting(NamedTuple):
    request: ScoringRequest
    scored: "asyncio.Future[Scored]"


class Scorer:
    """Scores on the event loop all applications that arrived since the last frame.

    Thirty rows in a frame cost little more than one. A single request is scored at once. While records are written to
    disk, the next requests gather. Then `GATHER_SECONDS` more let clients join that were just answered. Otherwise the
    clients would split into two halves that alternate. An answer does not depend on the other rows of its frame, to the
    last bit.

    Args:
        record: writes the records of answers. It raises if the answers must not be sent.
    """

    def __init__(self, record: Record) -> None:
        self._record = record
        self._waiting: list[_Waiting] = []
        self._work: asyncio.Task[None] | None = None
        self._wanted, self._gathered = 0, asyncio.Event()

    async def answer(self, request: ScoringRequest) -> Scored:
        """The answer to one application, while its record is being written."""
        waiting = _Waiting(request, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if len(self._waiting) >= self._wanted:
            self._gathered.set()
        if self._work is None:
            self._work = asyncio.create_task(self._answer_all())
        return await waiting.scored

    async def _answer_all(self) -> None:
        while self._waiting:
            now, self._waiting = self._waiting[:MAX_ROWS], self._waiting[MAX_ROWS:]
            try:
                await self._answer(now)
            except Exception as error:
                for waiting in now:
                    _fail(waiting, error)
            if self._waiting:
                await self._gather(min(len(now) + len(self._waiting), MAX_ROWS))
        self._work = None

    async def _gather(self, wanted: int) -> None:
        """Wait until this many requests wait, at most `GATHER_SECONDS`."""
        if len(self._waiting) >= wanted:
            return
        self._wanted = wanted
        self._gathered.clear()
        timer = asyncio.get_running_loop().call_later(GATHER_SECONDS, self._gathered.set)
        await self._gathered.wait()
        timer.cancel()

    async def _answer(self, now: list[_Waiting]) -> None:
        answered: list[tuple[_Waiting, Answer]] = []
        for serving, group in groupby(now, lambda waiting: waiting.request.serving):
            answered += _scored(serving, [waiting for waiting in group if not waiting.scored.done()])
        if not answered:
            return
        recording = asyncio.create_task(self._record([(waiting.request, answer) for waiting, answer in answered]))
        for waiting, answer in answered:
            waiting.scored.set_result(
                Scored(answer, asyncio.shield(recording))
            )  # a client that leaves cancels no record
        await asyncio.wait([recording])


def _scored(serving: Serving, batch: list[_Waiting]) -> list[tuple[_Waiting, Answer]]:
    """The answers. An application that cannot be scored gets the error instead."""
    if not batch:
        return []
    try:
        frame = serving.reader.frame([waiting.request.inputs for waiting in batch])
        answers = serving.predictor.predict_rows(frame, [waiting.request.explain for waiting in batch])
    except BrokenRulesError as error:
        for row in error.broken:
            _fail(batch[row], ApplicationError.from_broken_rules(error, row, serving.reader.columns))
        return _scored(serving, [waiting for row, waiting in enumerate(batch) if row not in error.broken])
    except Exception as error:
        if len(batch) > 1:  # find the application that fails: the others must be answered
            return [answered for waiting in batch for answered in _scored(serving, [waiting])]
        _fail(batch[0], error)
        return []
    return list(zip(batch, answers, strict=True))


def _fail(waiting: _Waiting, error: Exception) -> None:
    if not waiting.scored.done():
        waiting.scored.set_exception(error)

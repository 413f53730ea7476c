"""Answers to single applications: those that wait at the same time are scored, and recorded, together."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from bento.model.champion import Serving
from bento.model.records import Asked
from loan_platform.core.scoring.answer import Answer

MOST_ROWS = 64  # of one frame: no answer waits for more
GATHER_SECONDS = 0.002  # about what a frame takes: a longer wait could not pay

Record = Callable[[Sequence[tuple[Asked, Answer]]], Coroutine[Any, Any, None]]


class Scored(NamedTuple):
    """An answer on its way.

    Attributes:
        answer: may be made ready meanwhile, and sent once it is recorded.
        recorded: ends when it is; raises where it cannot be, and must not be given.
    """

    answer: Answer
    recorded: Awaitable[None]


class _Waiting(NamedTuple):
    asked: Asked
    scored: "asyncio.Future[Scored]"


class Scorer:
    """Scores on the event loop what arrived since it last did: thirty rows in a frame cost little more than one.

    A request alone is scored at once. While answers are on their way to the disk the next requests gather, for theirs
    would wait for the same disk; and where some did, a moment more is given to callers who were just answered, or they
    would go on taking turns in two halves. The bits of an answer do not depend on what it was scored with.

    Args:
        record: keeps answers, and raises where they must not be given.
    """

    def __init__(self, record: Record) -> None:
        self._record = record
        self._waiting: list[_Waiting] = []
        self._work: asyncio.Task[None] | None = None
        self._enough, self._gathered = 0, asyncio.Event()

    async def answer(self, asked: Asked) -> Scored:
        """The answer to one application; its record is being written."""
        waiting = _Waiting(asked, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if len(self._waiting) >= self._enough:
            self._gathered.set()
        if self._work is None:
            self._work = asyncio.create_task(self._answer_all())
        return await waiting.scored

    async def _answer_all(self) -> None:
        while self._waiting:
            now, self._waiting = self._waiting[:MOST_ROWS], self._waiting[MOST_ROWS:]
            try:
                await self._answer(now)
            except Exception as error:
                for waiting in now:
                    _fail(waiting, error)
            if self._waiting:
                await self._gather(min(len(now) + len(self._waiting), MOST_ROWS))
        self._work = None

    async def _gather(self, enough: int) -> None:
        """Let the line grow to so many, for a moment."""
        if len(self._waiting) >= enough:
            return
        self._enough = enough
        self._gathered.clear()
        timer = asyncio.get_running_loop().call_later(GATHER_SECONDS, self._gathered.set)
        await self._gathered.wait()
        timer.cancel()

    async def _answer(self, now: list[_Waiting]) -> None:
        answered: list[tuple[_Waiting, Answer]] = []
        for serving, group in groupby(now, lambda waiting: waiting.asked.serving):
            answered += _scored(serving, [waiting for waiting in group if not waiting.scored.done()])
        if not answered:
            return
        recording = asyncio.create_task(self._record([(waiting.asked, answer) for waiting, answer in answered]))
        for waiting, answer in answered:
            waiting.scored.set_result(Scored(answer, asyncio.shield(recording)))  # who leaves ends nobody's record
        await asyncio.wait([recording])


def _scored(serving: Serving, together: list[_Waiting]) -> list[tuple[_Waiting, Answer]]:
    """The answers; whoever is in the way of them gets the error instead."""
    if not together:
        return []
    try:
        frame = serving.reader.frame([waiting.asked.inputs for waiting in together])
        answers = serving.predictor.predict_rows(frame, [waiting.asked.explain for waiting in together])
    except Exception as error:
        if len(together) > 1:  # one of them is to blame, and the others are not
            return [answered for waiting in together for answered in _scored(serving, [waiting])]
        _fail(together[0], error)
        return []
    return list(zip(together, answers, strict=True))


def _fail(waiting: _Waiting, error: Exception) -> None:
    if not waiting.scored.done():
        waiting.scored.set_exception(error)

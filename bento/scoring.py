"""Scoring of single applications: those that wait at the same time are scored in one frame."""

import asyncio
from collections.abc import Sequence
from itertools import groupby
from typing import Any, NamedTuple

from bento.champion import Serving
from loan_platform.core.answers import Answer

MOST_ROWS = 64  # of one frame: no answer waits for more


class _Waiting(NamedTuple):
    serving: Serving
    inputs: Sequence[Any]
    explain: bool
    answer: "asyncio.Future[Answer]"


class Scorer:
    """Scores on the event loop what arrived since it last did: thirty rows in a frame cost little more than one.

    Nothing is waited for. A request alone is scored at once, and while a frame is computed the next ones gather in
    their sockets. The bits of an answer do not depend on what it was scored with.
    """

    def __init__(self) -> None:
        self._waiting: list[_Waiting] = []

    async def answer(self, serving: Serving, inputs: Sequence[Any], explain: bool) -> Answer:
        """The answer of a model to one application.

        Args:
            serving: the model.
            inputs: as its reader gave them.
            explain: reasons although the application is not declined.
        """
        loop = asyncio.get_running_loop()
        waiting = _Waiting(serving, inputs, explain, loop.create_future())
        if not self._waiting:
            loop.call_soon(self._score)
        self._waiting.append(waiting)
        return await waiting.answer

    def _score(self) -> None:
        now, self._waiting = self._waiting[:MOST_ROWS], self._waiting[MOST_ROWS:]
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._score)
        for serving, group in groupby(now, lambda waiting: waiting.serving):
            _answer(serving, [waiting for waiting in group if not waiting.answer.done()])


def _answer(serving: Serving, together: list[_Waiting]) -> None:
    if not together:
        return
    try:
        frame = serving.reader.frame([waiting.inputs for waiting in together])
        answers = serving.answers.few(frame, [waiting.explain for waiting in together])
    except Exception as error:
        if len(together) == 1:
            together[0].answer.set_exception(error)
            return
        for waiting in together:  # one of them is to blame, and the others are not
            _answer(serving, [waiting])
        return
    for waiting, answer in zip(together, answers, strict=True):
        waiting.answer.set_result(answer)

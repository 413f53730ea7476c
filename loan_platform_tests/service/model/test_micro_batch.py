"""Applications that wait together are scored together, and none feels the others."""

import asyncio
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from bento.http.problems import HttpError
from bento.model.champion import Serving
from bento.model.micro_batch import MAX_ROWS, Scorer
from bento.model.records import ScoringRequest
from loan_platform.core.scoring.answer import Answer
from loan_platform.core.scoring.predictor import Predictor
from loan_platform_tests.support.bundles import make_bundle, typed_rows
from loan_platform_tests.support.service.running import bodies

ROWS = typed_rows()
BODIES = bodies(ROWS)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Serving]:
    """Two versions."""

    def made(directory: Path, version: int) -> Serving:
        _, sha256 = make_bundle(directory, slope=version / 10)
        return Serving.load(version, sha256, directory)

    return [made(tmp_path_factory.mktemp("bundles") / str(version), version) for version in (1, 2)]


def question(serving: Serving, inputs: Sequence[Any], explain: bool = False) -> ScoringRequest:
    return ScoringRequest("0123456789abcdef", None, serving, {}, inputs, explain)


async def answered(scorer: Scorer, *one: Any) -> Answer:
    answer, recorded = await scorer.answer(question(*one))
    await recorded
    return answer


async def kept(_: Sequence[tuple[ScoringRequest, Answer]]) -> None:
    """A recorder that needs a moment."""
    await asyncio.sleep(0.001)


def asked(of: Sequence[tuple[Serving, Sequence[Any], bool]]) -> list[Any]:
    """What each gets when all ask at once: an answer, or the error."""

    async def together() -> list[Any]:
        scorer = Scorer(kept)
        waiting = [answered(scorer, *one) for one in of]
        return await asyncio.gather(*waiting, return_exceptions=True)

    return asyncio.run(together())


def test_together_each_gets_what_it_gets_alone(models: list[Serving], monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    few = Predictor.predict_rows

    def counted(self: Predictor, frame: pl.DataFrame, explain: Sequence[bool]) -> list[Answer]:
        sizes.append(frame.height)
        return few(self, frame, explain)

    monkeypatch.setattr(Predictor, "predict_rows", counted)
    wanted = [(models[i % 7 == 0], models[0].reader.inputs(body), i % 3 == 0) for i, body in enumerate(BODIES * 3)]
    got = asked(wanted)
    assert sum(sizes) == len(wanted) > MAX_ROWS
    assert 1 < max(sizes) <= MAX_ROWS
    for (serving, inputs, explain), answer in zip(wanted, got, strict=True):
        assert answer == few(serving.predictor, serving.reader.frame([inputs]), [explain])[0]
        assert bool(answer.reasons) <= (explain or answer.decision == "decline")
    assert {answer.decision for answer in got} > {"decline"}


def test_one_that_cannot_be_scored_fails_alone(models: list[Serving]) -> None:
    good = models[0].reader.inputs(BODIES[0])
    wrong = ["not a number"] * len(good)
    answers = asked([(models[0], good, False), (models[0], wrong, False), (models[0], good, False)])
    assert answers[0] == answers[2]
    assert isinstance(answers[0], Answer)
    assert isinstance(answers[1], Exception)


def test_a_caller_that_leaves_costs_the_others_nothing(models: list[Serving]) -> None:
    inputs = models[0].reader.inputs(BODIES[0])

    async def one_leaves() -> Answer:
        scorer = Scorer(kept)
        leaving, staying = (asyncio.ensure_future(answered(scorer, models[0], inputs)) for _ in range(2))
        await asyncio.sleep(0)
        leaving.cancel()
        return await staying

    assert asyncio.run(one_leaves()) == models[0].predictor.predict_one(models[0].reader.frame([inputs]))


def test_unrecorded_answers_are_not_given_and_later_ones_are(models: list[Serving]) -> None:
    inputs = models[0].reader.inputs(BODIES[0])
    fails = [True, False]

    async def full_disk_at_first(_: Sequence[tuple[ScoringRequest, Answer]]) -> None:
        if fails.pop(0):
            raise HttpError(503, "audit_unavailable", "The answer cannot be recorded.")

    async def two_rounds() -> tuple[list[Any], Answer]:
        scorer = Scorer(full_disk_at_first)
        refused = [answered(scorer, models[0], inputs) for _ in range(3)]
        first = await asyncio.gather(*refused, return_exceptions=True)
        return list(first), await answered(scorer, models[0], inputs)

    first, later = asyncio.run(two_rounds())
    assert [type(error) for error in first] == [HttpError] * 3
    assert later == models[0].predictor.predict_one(models[0].reader.frame([inputs]))


def test_callers_who_were_just_answered_join_those_who_waited(models: list[Serving]) -> None:
    """Eight callers that ask again at once: after the first frames all are in one, not in halves that take turns."""
    inputs, sizes = models[0].reader.inputs(BODIES[0]), list[int]()

    async def counted(answers: Sequence[tuple[ScoringRequest, Answer]]) -> None:
        sizes.append(len(answers))
        await asyncio.sleep(0.001)

    async def callers() -> None:
        scorer = Scorer(counted)

        async def caller(late: float) -> None:
            await asyncio.sleep(late)
            for _ in range(20):
                await answered(scorer, models[0], inputs)

        await asyncio.gather(*(caller(late) for late in (0, 0, 0, 0.0015, 0.0015, 0.0015, 0.0015, 0.0015)))

    asyncio.run(callers())
    assert sum(sizes) == 160
    assert statistics.median(sizes) == 8

"""Applications that wait together are scored together, and none feels the others."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from bento.champion import Serving
from bento.scoring import MOST_ROWS, Scorer
from loan_platform.core.answers import Answer, Answers
from loan_platform_tests.bundles import make_bundle, typed_rows
from loan_platform_tests.service.running import bodies

ROWS = typed_rows()
BODIES = bodies(ROWS)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Serving]:
    """Two versions."""

    def made(directory: Path, version: int) -> Serving:
        _, sha256 = make_bundle(directory, slope=version / 10)
        return Serving.of(version, sha256, directory)

    return [made(tmp_path_factory.mktemp("bundles") / str(version), version) for version in (1, 2)]


def asked(of: Sequence[tuple[Serving, Sequence[Any], bool]]) -> list[Any]:
    """What each gets when all ask at once: an answer, or the error."""

    async def together() -> list[Any]:
        scorer = Scorer()
        waiting = [scorer.answer(serving, inputs, explain) for serving, inputs, explain in of]
        return await asyncio.gather(*waiting, return_exceptions=True)

    return asyncio.run(together())


def test_together_each_gets_what_it_gets_alone(models: list[Serving], monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    few = Answers.few

    def counted(self: Answers, frame: pl.DataFrame, explain: Sequence[bool]) -> list[Answer]:
        sizes.append(frame.height)
        return few(self, frame, explain)

    monkeypatch.setattr(Answers, "few", counted)
    wanted = [(models[i % 7 == 0], models[0].reader.inputs(body), i % 3 == 0) for i, body in enumerate(BODIES * 3)]
    got = asked(wanted)
    assert sum(sizes) == len(wanted) > MOST_ROWS
    assert 1 < max(sizes) <= MOST_ROWS
    for (serving, inputs, explain), answer in zip(wanted, got, strict=True):
        assert answer == few(serving.answers, serving.reader.frame([inputs]), [explain])[0]
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
        scorer = Scorer()
        leaving = asyncio.ensure_future(scorer.answer(models[0], inputs, False))
        staying = asyncio.ensure_future(scorer.answer(models[0], inputs, False))
        await asyncio.sleep(0)
        leaving.cancel()
        return await staying

    assert asyncio.run(one_leaves()) == models[0].answers.one(models[0].reader.frame([inputs]))

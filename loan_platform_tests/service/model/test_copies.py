"""Copies of models that the service keeps, and candidates that fail in ways nobody foresaw."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from bento.http.problems import HttpError
from bento.model.baked_model import baked_model
from bento.model.champion import Champions, Serving
from bento.model.champion_ref import ChampionRef, Withdrawn
from bento.model.copies import ModelCopies
from bento.model.current import CurrentModel
from loan_platform.adapters.ledger.signing import LedgerKey
from loan_platform.core.applications.reader import ApplicationReader
from loan_platform.core.scoring.answer import Answer
from loan_platform.core.scoring.bundle import write_bundle
from loan_platform.core.scoring.golden_rows import MIN_ROWS
from loan_platform.core.scoring.predictor import Predictor
from loan_platform.settings.environment import SettingsError
from loan_platform_tests.support.bundles import make_bundle
from loan_platform_tests.support.service.club import APPLICATION, BREAKS, club_model


def followed(tmp_path: Path, refs: ChampionRef) -> Champions:
    champions = Champions(lambda: refs, ModelCopies(tmp_path / "cache", "book"), 60)
    champions.poll()
    return champions


def test_a_copy_that_cannot_be_kept_is_no_refusal(tmp_path: Path) -> None:
    _, sha256 = make_bundle(tmp_path / "lake" / "bundle")
    (tmp_path / "cache" / "newest.json").mkdir(parents=True)
    champions = followed(tmp_path, ChampionRef(1, sha256, tmp_path / "lake" / "bundle"))
    assert champions.serving is not None
    assert (champions.refusals, champions.refusal) == (0, None)
    assert (tmp_path / "cache" / sha256).is_dir()


def test_a_withdrawn_champion_answers_no_more(tmp_path: Path) -> None:
    """Neither by itself, nor from its copy after a restart, with or without the registry."""
    _, sha256 = make_bundle(tmp_path / "lake" / "bundle")
    champion = ChampionRef(1, sha256, tmp_path / "lake" / "bundle")
    told = Withdrawn(1, "version 1 was withdrawn: the champion reads debt.")
    answers: list[ChampionRef | Withdrawn | None] = [champion, told, told, champion]
    champions = Champions(lambda: answers.pop(0), ModelCopies(tmp_path / "cache", "book"), 60)
    champions.poll()
    assert champions.serving is not None
    for _ in range(2):
        champions.poll()
        assert (champions.serving, champions.withdrawn) == (None, told.reason)
    with pytest.raises(HttpError, match="No model is available yet: the champion was withdrawn") as error:
        CurrentModel("tiny_loans", champions).get()
    assert (error.value.status, error.value.code) == (503, "no_model")
    champions.poll()  # promoted again
    assert (champions.serving is not None, champions.withdrawn) == (True, None)

    for find in (lambda: told, unavailable):
        Champions(lambda: told, ModelCopies(tmp_path / "cache", "book"), 60).poll()
        restarted = Champions(find, ModelCopies(tmp_path / "cache", "book"), 60)
        restarted.start()
        restarted.stop()
        assert restarted.serving is None


def unavailable() -> None:
    raise ConnectionError


def started(find: Callable[[], ChampionRef | Withdrawn | None], folder: Path, baked: ChampionRef) -> Champions:
    champions = Champions(find, ModelCopies(folder, "book"), 60, baked)
    champions.start()
    champions.stop()
    return champions


def test_a_withdrawn_model_of_a_bento_answers_no_more(tmp_path: Path) -> None:
    _, sha256 = make_bundle(tmp_path / "bundle")
    baked, told = ChampionRef(2, sha256, tmp_path / "bundle"), Withdrawn(2, "version 2 was withdrawn: it reads debt.")
    assert started(unavailable, tmp_path / "cache", baked).serving is not None
    for find in (lambda: told, unavailable):
        champions = started(find, tmp_path / "cache", baked)
        assert (champions.serving, champions.withdrawn) == (None, told.reason)
    assert started(unavailable, tmp_path / "cache", baked._replace(version=3)).serving is not None
    assert started(lambda: baked, tmp_path / "cache", baked).serving is not None  # promoted again
    assert started(unavailable, tmp_path / "cache", baked).serving is not None


def test_a_promotion_after_a_withdrawal_is_a_swap(tmp_path: Path) -> None:
    _, sha256 = make_bundle(tmp_path / "lake" / "bundle")
    champion = ChampionRef(1, sha256, tmp_path / "lake" / "bundle", {"version": 2})
    answers = [
        champion,
        Withdrawn(1, "version 1 was withdrawn."),
        champion._replace(version=3, challenger=None, withdrawn_versions=frozenset({1})),
    ]
    champions = Champions(lambda: answers.pop(0), ModelCopies(tmp_path / "cache", "book"), 60)
    champions.poll()
    assert (champions.swaps, champions.challenger) == (0, {"version": 2})
    champions.poll()
    assert (champions.swaps, champions.challenger) == (0, None)
    champions.poll()
    assert (champions.swaps, champions.withdrawn, champions.withdrawn_versions) == (1, None, {1})


def test_an_error_that_nobody_foresaw_refuses_the_candidate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise IndexError("Kanarienvogel")

    monkeypatch.setattr("bento.model.champion.load_bundle", broken)
    _, sha256 = make_bundle(tmp_path / "lake" / "bundle")
    champions = followed(tmp_path, ChampionRef(1, sha256, tmp_path / "lake" / "bundle"))
    assert champions.serving is None
    assert champions.refusal == f"version 1 ({sha256[:12]}): IndexError"


def test_a_golden_row_that_breaks_a_rule_is_not_predicted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, answers = club_model(), list[Answer]()
    rows = [{**APPLICATION, **BREAKS["term_on_offer"]}, *[APPLICATION] * MIN_ROWS]
    sha256 = write_bundle(tmp_path, model, {}, ApplicationReader(model).read_many(rows), {"family": "scorecard"})
    predict = Predictor.predict_one

    def recorded(predictor: Predictor, row: pl.DataFrame, explain: bool = False) -> Answer:
        answers.append(predict(predictor, row, explain))
        return answers[-1]

    monkeypatch.setattr(Predictor, "predict_one", recorded)
    Serving.load(1, sha256, tmp_path)
    expected = Predictor(model).predict_frame(ApplicationReader(model).read(APPLICATION))
    assert [answer.probability for answer in answers] == expected["probability"].to_list()


def test_two_services_of_one_home_share_their_copies(tmp_path: Path) -> None:
    _, sha256 = make_bundle(tmp_path / "lake" / "bundle")
    refs = ChampionRef(1, sha256, tmp_path / "lake" / "bundle")
    pair = [Champions(lambda: refs, ModelCopies(tmp_path / "cache", "book"), 60) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(Champions.poll, pair))
    assert [champions.refusal for champions in pair] == [None, None]
    assert all(champions.serving is not None for champions in pair)
    assert [path.name for path in (tmp_path / "cache").iterdir() if path.is_dir()] == [sha256]


def test_old_copies_go_and_records_and_jobs_beside_them_stay(tmp_path: Path) -> None:
    refs: list[ChampionRef] = []
    for version in range(1, 8):
        bundle = tmp_path / "lake" / str(version)
        _, sha256 = make_bundle(bundle, slope=version / 10)
        refs.append(ChampionRef(version, sha256, bundle))
    kept = [tmp_path / "cache" / name / "file" for name in ("audit", "jobs")]
    for path in kept:
        path.parent.mkdir(parents=True)
        path.write_text("kept")
    waiting = list(refs)
    champions = Champions(lambda: waiting.pop(0), ModelCopies(tmp_path / "cache", "book"), 60)
    for _ in refs:
        champions.poll()
    assert champions.swaps == len(refs) - 1
    assert [path.read_text() for path in kept] == ["kept", "kept"]
    copies = {path.name for path in (tmp_path / "cache").iterdir() if len(path.name) == 64}
    assert refs[-1].sha256 in copies
    assert len(copies) < len(refs)


@pytest.mark.attack("stores", "the service's own copy changed while the ledger is away", before="answers as version 1")
def test_a_copy_that_the_key_did_not_sign_does_not_answer(tmp_path: Path) -> None:
    cache, newest = tmp_path / "cache", tmp_path / "cache" / "newest.json"
    LedgerKey.create(tmp_path / "ledger.key")
    key = LedgerKey.read(tmp_path / "ledger.key")
    _, sha256 = make_bundle(tmp_path / "lake" / "bundle")
    _, other = make_bundle(cache / "draft", 0.9)
    (cache / "draft").rename(cache / other)
    Champions(lambda: ChampionRef(1, sha256, tmp_path / "lake" / "bundle"), ModelCopies(cache, "book", key), 60).poll()

    def from_copy(copies: ModelCopies) -> Champions:
        champions = Champions(unavailable, copies, 60)
        champions.start()
        champions.stop()
        return champions

    honest = newest.read_text()
    restarted = from_copy(ModelCopies(cache, "book", key)).serving
    assert restarted is not None
    assert restarted.sha256 == sha256
    for changed in (
        honest.replace(sha256, other),
        honest.replace('"version": 1', '"version": 2'),
        f'{{"version": 1, "sha256": "{sha256}"}}',
    ):
        newest.write_text(changed)
        champions = from_copy(ModelCopies(cache, "book", key))
        assert champions.serving is None
        assert "is not signed with LOAN_LEDGER_KEY" in (champions.refusal or "")
    newest.write_text(honest)
    assert from_copy(ModelCopies(cache, "another_book", key)).serving is None


@pytest.mark.attack("stores", "newest.json or a registry row that names a folder", before="the folder was removed")
@pytest.mark.parametrize("name", ["{victim}", "../victim", "..", "", None])
def test_a_name_of_a_copy_is_never_a_path(tmp_path: Path, name: str | None) -> None:
    victim, cache = tmp_path / "victim", tmp_path / "cache"
    victim.mkdir()
    (victim / "kept").write_text("of somebody else")
    cache.mkdir()
    said = name.format(victim=victim) if name else name
    (cache / "newest.json").write_text(json.dumps({"version": 1, "sha256": said}))
    refs = ChampionRef(1, said or "", victim)
    champions = Champions(lambda: refs, ModelCopies(cache, "book"), 60)
    champions.start()
    champions.stop()
    assert champions.serving is None
    assert "no SHA-256" in (champions.refusal or "")
    assert (victim / "kept").read_text() == "of somebody else"


def test_a_bento_of_another_lender_does_not_answer(tmp_path: Path) -> None:
    LedgerKey.create(tmp_path / "ledger.key")
    key, about = LedgerKey.read(tmp_path / "ledger.key"), {"portfolio": "book", "version": 1, "sha256": "a" * 64}
    (tmp_path / "champion.json").write_text(json.dumps(about))
    unsigned = baked_model(tmp_path)
    assert unsigned is not None
    with pytest.raises(SettingsError, match="is not signed with LOAN_LEDGER_KEY"):
        unsigned.require_signed(key)
    signature = key.sign_champion("book", 1, "a" * 64)
    (tmp_path / "champion.json").write_text(json.dumps(about | {"signature": signature}))
    signed = baked_model(tmp_path)
    assert signed is not None
    signed.require_signed(key)
    with pytest.raises(SettingsError, match="is not signed"):
        signed._replace(ref=ChampionRef(2, "a" * 64, tmp_path)).require_signed(key)

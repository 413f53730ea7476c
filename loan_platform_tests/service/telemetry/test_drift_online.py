"""Drift of what is asked: found, gone again, over all workers, and of the model in force alone."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest
from prometheus_client import CollectorRegistry

from bento.model.champion import Champions, Serving
from bento.model.champion_ref import ChampionRef
from bento.model.copies import ModelCopies
from bento.telemetry.drift import OnlineDrift
from bento.telemetry.drift_window import SharedCounts
from loan_platform.core.book.monitoring_policies import DriftPolicy
from loan_platform.core.monitoring.psi import drift_table
from loan_platform.core.monitoring.reference import Reference
from loan_platform_tests.support.bundles import make_bundle, typed_rows
from loan_platform_tests.support.service.running import Home, bodies, serving
from loan_platform_tests.support.waiting import until

DEVELOPMENT = pl.concat([typed_rows(seed) for seed in range(0, 2_000, 40)])
USUAL, RICH = DEVELOPMENT.head(400), DEVELOPMENT.head(400).with_columns(income=pl.lit(900_000.0))
WINDOW = 400


@pytest.fixture
def champions(tmp_path: Path) -> Champions:
    refs: list[ChampionRef] = []
    for version in (1, 2):
        _, sha256 = make_bundle(tmp_path / str(version), version / 10, DEVELOPMENT)
        refs.append(ChampionRef(version, sha256, tmp_path / str(version)))
    champions = Champions(lambda: refs[0], ModelCopies(tmp_path / "cache", "book"), 60)
    champions.poll()
    refs.pop(0)  # the next poll finds version 2
    return champions


class Maker:
    """Makes the drift of a service, with metrics in a registry of its own."""

    def __init__(self, champions: Champions, path: Path) -> None:
        self.champions, self.path, self.registry = champions, path, CollectorRegistry()

    def __call__(self, window: int = WINDOW, sample: float = 1.0, champions: Champions | None = None) -> OnlineDrift:
        self.registry = CollectorRegistry()
        return OnlineDrift("tiny", champions or self.champions, self.path, window, sample, self.registry)

    def gauge(self, name: str, **labels: str) -> float | None:
        """A metric of the newest drift."""
        return self.registry.get_sample_value(f"loan_model_drift_{name}", {"portfolio": "tiny", **labels})


@pytest.fixture
def make(champions: Champions, tmp_path: Path) -> Maker:
    return Maker(champions, tmp_path / "drift.db")


def answered(drift: OnlineDrift, serving: Serving, rows: pl.DataFrame, single: bool = False) -> None:
    probabilities = serving.predictor.predict_frame(rows)["probability"].to_list()
    if single:
        for row, probability in zip(bodies(rows), probabilities, strict=True):
            drift.observe(serving, serving.reader.inputs(row), (probability,))
    else:
        drift.observe(serving, rows, probabilities)


def test_the_limits_are_those_of_the_book(make: Maker, tmp_path: Path) -> None:
    folder = tmp_path / "lenient"
    _, sha256 = make_bundle(folder, 0.1, DEVELOPMENT, drift={"warning": 90.0, "critical": 99.0})
    champions = Champions(lambda: ChampionRef(1, sha256, folder), ModelCopies(tmp_path / "cache", "book"), 60)
    champions.poll()
    drift = make(champions=champions)
    assert champions.serving is not None
    answered(drift, champions.serving, RICH)
    drift.compare()
    assert drift.state == {"detected": False, "verdict": "ok", "rows": WINDOW, "window": WINDOW, "over": []}


def test_drift_is_found_and_goes_and_starts_anew_with_a_model(champions: Champions, make: Maker) -> None:
    drift, first = make(), champions.serving
    assert first is not None
    answered(drift, first, USUAL, single=True)
    drift.compare()
    assert drift.state == {"detected": False, "verdict": "ok", "rows": WINDOW, "window": WINDOW, "over": []}
    assert make.gauge("psi", feature="log_income") == make.gauge("detected") == 0

    answered(drift, first, RICH)
    drift.compare()
    assert drift.state is not None
    assert drift.state["over"][0] == "log_income"
    assert (drift.state["detected"], drift.state["rows"], make.gauge("detected")) == (True, WINDOW, 1)
    table = drift_table(
        Reference.from_json(first.bundle.reference),
        first.bundle.model.features(RICH),
        first.predictor.predict_frame(RICH)["probability"].to_numpy(),
        DriftPolicy(),
    )
    of_batch = {v.name: v.psi - v.chance for v in table.variables}
    assert make.gauge("psi", feature="log_income") == pytest.approx(of_batch["log_income"])
    assert make.gauge("psi", feature="(score)") == pytest.approx(max(of_batch["score"], 0))
    assert make.gauge("psi", feature="region") == 0

    answered(drift, first, USUAL)
    drift.compare()
    assert make.gauge("psi", feature="log_income") == make.gauge("detected") == 0

    answered(drift, first, RICH)
    drift.compare()
    assert make.gauge("detected") == 1
    answered(drift, first, RICH)
    champions.poll()
    drift.compare()
    assert drift.state["rows"] == 0
    assert make.gauge("psi", feature="log_income") == make.gauge("detected") == 0


def test_few_rows_alarm_nobody_and_a_share_is_a_share(champions: Champions, make: Maker) -> None:
    drift, serving = make(sample=0.5), champions.serving
    assert serving is not None
    answered(drift, serving, RICH.head(150), single=True)
    drift.compare()
    assert drift.state is not None
    assert 30 < drift.state["rows"] < 120
    few = make(sample=1)
    make.path.unlink()
    answered(few, serving, RICH.head(99))
    few.compare()
    assert few.state is not None
    assert (few.state["verdict"], few.state["rows"], make.gauge("detected")) == ("unknown", 99, 0)
    none = make(window=0)
    answered(none, serving, RICH)
    none.compare()
    assert make.gauge("psi", feature="log_income") is None


def test_a_window_is_that_of_all_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np

    def worker(pid: int) -> SharedCounts:
        monkeypatch.setattr("os.getpid", lambda: pid)
        return SharedCounts(tmp_path / "drift.db", 100)

    one, two = worker(1), worker(2)
    for _ in range(30):
        one.add(1, "a", 1, np.array([1, 0]))
        two.add(1, "a", 2, np.array([0, 2]))
    rows, counts = one.window(1, "a", 2)
    assert (rows, counts.tolist()) == (90, [30, 60])
    for _ in range(500):
        two.add(1, "a", 1, np.array([0, 1]))
    rows, counts = one.window(1, "a", 2)
    assert 100 <= rows < 106
    assert counts.tolist() == [0, rows]
    assert one.window(1, "a", 3)[0] == 0  # counts of another form are no counts
    one.add(2, "b", 1, np.array([1, 0]))
    assert two.window(1, "a", 2)[0] == 0


@pytest.mark.slow
def test_the_service_tells_of_drift(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.promote(slope=0.1, make=partial(make_bundle, development=DEVELOPMENT))
    with serving(home, LOAN_ENV="development", LOAN_DRIFT_WINDOW="200") as client:

        def told(done: Callable[[dict[str, Any]], bool]) -> None:
            until(lambda: done(client.get("/api/v1/model/info").json()["drift"] or {}))

        def asked(rows: pl.DataFrame) -> httpx.Response:
            return client.post("/invocations", json={"instances": bodies(rows)})

        assert asked(RICH).status_code == 200
        told(lambda drift: bool(drift) and drift["detected"])
        metrics = client.get("/metrics").text
        assert 'loan_model_drift_detected{portfolio="tiny_loans"} 1.0' in metrics
        assert asked(USUAL).status_code == 200
        told(lambda drift: bool(drift) and drift["verdict"] == "ok")
        metrics = client.get("/metrics").text
        assert 'loan_model_drift_detected{portfolio="tiny_loans"} 0.0' in metrics
        assert 'loan_model_drift_psi{feature="log_income",portfolio="tiny_loans"} 0.0' in metrics

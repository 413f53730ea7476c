"""Drift of what is asked: found, gone again, over all workers, and of the model in force alone."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest
from prometheus_client import REGISTRY

from bento.model.champion import Champions, Named, Serving
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
    named: list[Named] = []
    for version in (1, 2):
        _, sha256 = make_bundle(tmp_path / str(version), version / 10, DEVELOPMENT)
        named.append(Named(version, sha256, tmp_path / str(version)))
    champions = Champions(lambda: named[0], tmp_path / "cache", 60)
    champions.look()
    named.pop(0)  # the next look finds version 2
    return champions


@pytest.fixture
def made(champions: Champions, tmp_path: Path) -> Iterator[Callable[..., OnlineDrift]]:
    before = set(REGISTRY._collector_to_names)  # pyright: ignore[reportPrivateUsage]

    def make(window: int = WINDOW, sample: float = 1.0, of: Champions = champions) -> OnlineDrift:
        for collector in set(REGISTRY._collector_to_names) - before:  # pyright: ignore[reportPrivateUsage]
            REGISTRY.unregister(collector)
        return OnlineDrift("tiny", of, tmp_path / "drift.db", window, sample)

    yield make
    for collector in set(REGISTRY._collector_to_names) - before:  # pyright: ignore[reportPrivateUsage]
        REGISTRY.unregister(collector)


def answered(drift: OnlineDrift, serving: Serving, rows: pl.DataFrame, single: bool = False) -> None:
    probabilities = serving.predictor.predict_frame(rows)["probability"].to_list()
    if single:
        for row, probability in zip(bodies(rows), probabilities, strict=True):
            drift.seen(serving, serving.reader.inputs(row), (probability,))
    else:
        drift.seen(serving, rows, probabilities)


def gauge(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(f"loan_model_drift_{name}", {"portfolio": "tiny", **labels})


def test_the_limits_are_those_of_the_book(made: Callable[..., OnlineDrift], tmp_path: Path) -> None:
    folder = tmp_path / "lenient"
    _, sha256 = make_bundle(folder, 0.1, DEVELOPMENT, drift={"warning": 90.0, "critical": 99.0})
    champions = Champions(lambda: Named(1, sha256, folder), tmp_path / "cache", 60)
    champions.look()
    drift = made(of=champions)
    assert champions.serving is not None
    answered(drift, champions.serving, RICH)
    drift.look()
    assert drift.state == {"detected": False, "verdict": "ok", "rows": WINDOW, "window": WINDOW, "over": []}


def test_drift_is_found_and_goes_and_starts_anew_with_a_model(
    champions: Champions, made: Callable[..., OnlineDrift]
) -> None:
    drift, first = made(), champions.serving
    assert first is not None
    answered(drift, first, USUAL, single=True)
    drift.look()
    assert drift.state == {"detected": False, "verdict": "ok", "rows": WINDOW, "window": WINDOW, "over": []}
    assert gauge("psi", feature="log_income") == gauge("detected") == 0

    answered(drift, first, RICH)
    drift.look()
    assert drift.state is not None
    assert drift.state["over"][0] == "log_income"
    assert (drift.state["detected"], drift.state["rows"], gauge("detected")) == (True, WINDOW, 1)
    table = drift_table(
        Reference.from_json(first.bundle.reference),
        first.bundle.model.features(RICH),
        first.predictor.predict_frame(RICH)["probability"].to_numpy(),
        DriftPolicy(),
    )
    of_batch = {v.name: v.psi - v.chance for v in table.variables}
    assert gauge("psi", feature="log_income") == pytest.approx(of_batch["log_income"])
    assert gauge("psi", feature="(score)") == pytest.approx(max(of_batch["score"], 0))
    assert gauge("psi", feature="region") == 0

    answered(drift, first, USUAL)
    drift.look()
    assert gauge("psi", feature="log_income") == gauge("detected") == 0

    answered(drift, first, RICH)
    drift.look()
    assert gauge("detected") == 1
    answered(drift, first, RICH)
    champions.look()
    drift.look()
    assert drift.state["rows"] == 0
    assert gauge("psi", feature="log_income") == gauge("detected") == 0


def test_few_rows_alarm_nobody_and_a_share_is_a_share(champions: Champions, made: Callable[..., OnlineDrift]) -> None:
    drift, serving = made(sample=0.5), champions.serving
    assert serving is not None
    answered(drift, serving, RICH.head(150), single=True)
    drift.look()
    assert drift.state is not None
    assert 30 < drift.state["rows"] < 120
    few = made(sample=1)
    few._path.unlink()  # pyright: ignore[reportPrivateUsage]
    answered(few, serving, RICH.head(99))
    few.look()
    assert few.state is not None
    assert (few.state["verdict"], few.state["rows"], gauge("detected")) == ("unknown", 99, 0)
    none = made(window=0)
    answered(none, serving, RICH)
    none.look()
    assert gauge("psi", feature="log_income") is None


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

"""A book with two models that are logged to a real MLflow."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import mlflow

from loan_platform.adapters.tracking.model_logging import log_bundle
from loan_platform.adapters.tracking.registry import Registry, Version
from loan_platform.adapters.tracking.runs import Tracking
from loan_platform.core.scoring.scoring_model import ScoringModel
from loan_platform.settings.platform import PlatformSettings
from loan_platform_tests.support.bundles import every_type, make_bundle, typed_rows
from loan_platform_tests.support.processes.homes import ready_home

ROWS = typed_rows()
ANSWER = ["probability", "score", "risk", "decision", "expected_loss", "reasons"]


@dataclass(frozen=True)
class Book:
    """A book with two logged models in an embedded MLflow."""

    settings: PlatformSettings
    tracking: Tracking
    run_id: str
    model: ScoringModel
    uris: tuple[str, str]
    hashes: tuple[str, str]

    @property
    def registry(self) -> Registry:
        return Registry(self.tracking)


@contextmanager
def logged_book(home: Path) -> Iterator[Book]:
    """The book, and MLflow's own settings as they were before."""
    settings = PlatformSettings.from_environment({"LOAN_PLATFORM_HOME": str(home)})
    ready_home(settings.home)
    tracking = Tracking(settings.tracking_uri, settings.mlartifacts)
    model, first = make_bundle(home / "first" / "bundle")
    _, second = make_bundle(home / "second" / "bundle", slope=0.2)
    columns = every_type().application_columns(use_pricing=False)
    environment = dict(os.environ)
    mlflow.set_tracking_uri(tracking.uri)
    mlflow.set_registry_uri(tracking.uri)
    with mlflow.start_run(experiment_id=tracking.experiment("book")) as run:
        one = log_bundle(run.info.run_id, home / "first" / "bundle", first, columns, ROWS)
        other = log_bundle(run.info.run_id, home / "second" / "bundle", second, columns, ROWS)
    yield Book(settings, tracking, run.info.run_id, model, (one, other), (first, second))
    mlflow.set_tracking_uri("")
    os.environ.clear()
    os.environ.update(environment)


def register(book: Book, number: int) -> Version:
    return book.registry.register("book", book.uris[number], book.hashes[number], book.run_id)

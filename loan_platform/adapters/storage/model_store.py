"""Trained models in the lake: one immutable directory each, named by the SHA-256 of its bundle."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import polars as pl

from loan_platform.adapters.storage.atomic_files import atomic_write
from loan_platform.adapters.storage.directories import Directories
from loan_platform.core.errors import NotMaterializedError
from loan_platform.core.scoring.bundle import Bundle, load_bundle

TRACKED = "tracked.json"


@dataclass(frozen=True)
class TrainingRun:
    """Where the newest training run of a model stands in MLflow."""

    sha256: str
    run_id: str
    model_uri: str


@dataclass(frozen=True)
class StoredModel:
    """One trained model: its bundle and what its evaluation needs.

    `bundle/` is the model; `test_rows.parquet` the typed out-of-time loans; `test_predictions.parquet` what each
    candidate says of them; `development.parquet` a sample of features and scores; `training.json` how it was chosen.
    """

    path: Path

    @property
    def sha256(self) -> str:
        """SHA-256 of the bundle."""
        return self.path.name

    def bundle(self) -> Bundle:
        """The model, verified; read once in a process, because the directory never changes.

        Raises:
            BundleError: a file was changed, or the golden rows do not score to the same bits.
        """
        return _verified(self.path / "bundle")

    def frame(self, name: str) -> pl.DataFrame:
        """One of the Parquet files, by its name without ending."""
        return pl.read_parquet(self.path / f"{name}.parquet")

    def training(self) -> dict[str, Any]:
        """How the model was chosen: split, candidates, reason."""
        return json.loads((self.path / "training.json").read_text())


@lru_cache(maxsize=4)
def _verified(path: Path) -> Bundle:
    return load_bundle(path, expected_sha256=path.parent.name)


class ModelStore:
    """The trained models of one portfolio."""

    def __init__(self, root: Path) -> None:
        self._directories = Directories(root)

    @contextmanager
    def draft(self) -> Iterator[Path]:
        """Give an empty directory to fill and then `publish`."""
        with self._directories.draft() as path:
            yield path

    def publish(self, draft: Path, sha256: str) -> StoredModel:
        """Publish a filled draft and make it the newest model."""
        return StoredModel(self._directories.publish(draft, sha256))

    def newest(self) -> StoredModel:
        """The model trained last.

        Raises:
            NotMaterializedError: there is none yet.
        """
        path = self._directories.latest()
        if path is None:
            raise NotMaterializedError(f"no model below {self._directories.root}: materialize trained_model first")
        return StoredModel(path)

    def get(self, sha256: str) -> StoredModel:
        """A model by the SHA-256 of its bundle.

        Raises:
            NotMaterializedError: it is not in the lake.
        """
        try:
            return StoredModel(self._directories.path(sha256))
        except LookupError as error:
            raise NotMaterializedError(f"model {sha256[:12]} is not in the lake: train and promote again") from error

    def save_run(self, tracked: TrainingRun) -> None:
        """Keep where MLflow tracked the newest training."""
        atomic_write(self._directories.root / TRACKED, json.dumps(asdict(tracked)) + "\n")

    def load_run(self, model: StoredModel) -> TrainingRun:
        """The MLflow run of the newest model.

        Raises:
            NotMaterializedError: training was cut off before it was tracked.
        """
        note = self._directories.root / TRACKED
        tracked = TrainingRun(**json.loads(note.read_text())) if note.is_file() else None
        if tracked is None or tracked.sha256 != model.sha256:
            raise NotMaterializedError(f"model {model.sha256[:12]} has no tracked run: materialize trained_model again")
        return tracked

"""Trained models in the lake: one immutable directory per model, named by the SHA-256 of its bundle."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import polars as pl

from loan_platform.adapters.storage.atomic_files import atomic_write
from loan_platform.adapters.storage.directories import Directories
from loan_platform.core.errors import NotMaterializedError
from loan_platform.core.scoring.bundle import Bundle, load_bundle, write_policy_bundle
from loan_platform.core.scoring.decisions import AnswerPolicy, ProfitCurve
from loan_platform.core.training.report import TrainingReport

TRACKED = "tracked.json"


@dataclass(frozen=True)
class TrainingRun:
    """The MLflow run that logged a model."""

    sha256: str
    run_id: str
    model_uri: str


@dataclass(frozen=True)
class StoredModel:
    """One trained model and the data that its evaluation needs.

    | in its directory | content |
    | --- | --- |
    | `bundle/` | the model |
    | `test_rows.parquet` | typed out-of-time loans, with file and line |
    | `test_predictions.parquet` | predictions of each candidate for these loans |
    | `development.parquet` | sample of features and scores of the development loans |
    | `development_keys.parquet` | keys of all development loans |
    | `calibration_loans.parquet` | probability, outcome and exposure of the loans that cut-offs are derived from |
    | `training.json` | how the model was chosen |
    """

    path: Path

    @property
    def sha256(self) -> str:
        """SHA-256 of the bundle."""
        return self.path.name

    def bundle(self) -> Bundle:
        """The verified model. A process reads it once, because the directory never changes.

        Raises:
            BundleError: a file was changed, or a golden row gets another score than at training.
        """
        return _verified(self.path / "bundle")

    def frame(self, name: str) -> pl.DataFrame:
        """One of the Parquet files, by its name without extension."""
        return pl.read_parquet(self.path / f"{name}.parquet")

    def has_frame(self, name: str) -> bool:
        """Whether the model has a Parquet file. Models of earlier releases lack the newer ones."""
        return (self.path / f"{name}.parquet").is_file()

    def training(self) -> TrainingReport:
        """How the model was chosen: split, candidates and reason."""
        return TrainingReport.from_json((self.path / "training.json").read_text())


@lru_cache(maxsize=4)
def _verified(path: Path) -> Bundle:
    return load_bundle(path, expected_sha256=path.parent.name)


class ModelStore:
    """The trained models of one portfolio."""

    def __init__(self, root: Path) -> None:
        self._directories = Directories(root)

    @contextmanager
    def draft(self) -> Iterator[Path]:
        """Give an empty directory to fill and `publish`."""
        with self._directories.draft() as path:
            yield path

    def publish(self, draft: Path, sha256: str) -> StoredModel:
        """Publish a filled draft and make it the newest model."""
        return StoredModel(self._directories.publish(draft, sha256))

    def with_policy(self, trained: StoredModel, policy: AnswerPolicy, profit: ProfitCurve) -> StoredModel:
        """A trained model with another answer policy, published beside it. The newest model stays the newest.

        Args:
            trained: the model. Its files are copied, so that each version has its own evidence.
            policy: how its probabilities become answers.
            profit: curve that the policy's cut-offs were taken from.

        Returns:
            The trained model itself where it has this policy.
        """
        bundle = trained.bundle()
        if bundle.model.policy == policy:
            return trained
        with self.draft() as draft:
            for file in sorted(trained.path.glob("*.parquet")):
                shutil.copyfile(file, draft / file.name)
            training = trained.training().model_copy(update={"profit": profit})
            (draft / "training.json").write_text(training.to_json())
            sha256 = write_policy_bundle(draft / "bundle", trained.path / "bundle", bundle, policy)
            return StoredModel(self._directories.publish(draft, sha256, latest=False))

    def newest(self) -> StoredModel:
        """The model trained last.

        Raises:
            NotMaterializedError: no model was trained yet.
        """
        path = self._directories.latest()
        if path is None:
            raise NotMaterializedError(f"No model below {self._directories.root}. Materialize trained_model first.")
        return StoredModel(path)

    def get(self, sha256: str) -> StoredModel:
        """A model by the SHA-256 of its bundle.

        Raises:
            NotMaterializedError: the model is not in the lake.
        """
        try:
            return StoredModel(self._directories.path(sha256))
        except LookupError as error:
            raise NotMaterializedError(f"Model {sha256[:12]} is not in the lake. Train and promote again.") from error

    def save_run(self, run: TrainingRun) -> None:
        """Store the MLflow run of the newest model."""
        atomic_write(self._directories.root / TRACKED, json.dumps(asdict(run)) + "\n")

    def load_run(self, model: StoredModel) -> TrainingRun:
        """The MLflow run of the newest model.

        Raises:
            NotMaterializedError: training was interrupted before its run was stored.
        """
        stored = self._directories.root / TRACKED
        run = TrainingRun(**json.loads(stored.read_text())) if stored.is_file() else None
        if run is None or run.sha256 != model.sha256:
            raise NotMaterializedError(f"Model {model.sha256[:12]} has no MLflow run. Materialize trained_model again.")
        return run

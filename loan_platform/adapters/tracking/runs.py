"""Runs, plots and logged models in MLflow. Its import takes a second, so it happens inside the functions."""

import json
import logging
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import polars as pl

from loan_platform.core.book.contract_parts import Column
from loan_platform.core.scoring.answer import ANSWER_SCHEMA

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.models import ModelSignature

_PARAMS_A_CALL = 100  # MLflow's REST limits
_METRICS_A_CALL = 1000
_PARAM_LENGTH = 6000


@dataclass(frozen=True)
class Dataset:
    """What a run was made from: `context` says what for, such as `training` or `test`."""

    name: str
    sha256: str
    path: str
    rows: int
    context: str = "training"


@dataclass(frozen=True)
class Tracking:
    """One MLflow, by its address. `artifacts` is where a local one keeps files; a server decides itself."""

    uri: str
    artifacts: Path | None = None

    def experiment(self, name: str) -> str:
        """Id of the experiment, created on first use with its files in `artifacts`.

        MLflow alone would put them in a folder `mlruns` wherever the process was started.
        """
        from mlflow.exceptions import MlflowException

        client = self.client()
        if found := client.get_experiment_by_name(name):
            return found.experiment_id
        location = (self.artifacts / name).as_uri() if self.artifacts else None
        try:
            return client.create_experiment(name, artifact_location=location)
        except MlflowException as error:  # another process was faster
            if found := client.get_experiment_by_name(name):
                return found.experiment_id
            raise error

    def log(
        self,
        run_id: str,
        *,
        params: Mapping[str, Any] | None = None,
        metrics: Mapping[str, float] | None = None,
        tags: Mapping[str, Any] | None = None,
        datasets: Sequence[Dataset] = (),
        files: Mapping[str, bytes | str] | None = None,
    ) -> None:
        """Add to a run. `files` are plots and tables, by their path in the run: `plots/roc.png`."""
        from mlflow.entities import Metric, Param, RunTag

        client, now = self.client(), int(time.time() * 1000)
        for some in _batches([(k, _text(v)) for k, v in (params or {}).items()], _PARAMS_A_CALL):
            client.log_batch(run_id, params=[Param(k, v[:_PARAM_LENGTH]) for k, v in some])
        for some in _batches(list((metrics or {}).items()), _METRICS_A_CALL):
            client.log_batch(run_id, metrics=[Metric(k, float(v), now, 0) for k, v in some])
        for some in _batches([(k, _text(v)) for k, v in (tags or {}).items()], _PARAMS_A_CALL):
            client.log_batch(run_id, tags=[RunTag(k, v) for k, v in some])
        if datasets:
            client.log_inputs(run_id, [_dataset_input(dataset) for dataset in datasets])
        if files:
            _log_files(client, run_id, files)

    def log_bundle(
        self, run_id: str, bundle: Path, sha256: str, columns: Sequence[Column], example: pl.DataFrame
    ) -> str:
        """Log a model bundle to the active run as an MLflow model that is code, without pickle.

        Args:
            run_id: the run that is active in this process.
            bundle: directory of the bundle.
            sha256: of the bundle; the registry tells versions apart by it.
            columns: the application columns that the model takes.
            example: a few rows of them, such as the golden rows.

        Returns:
            The model's URI, `models:/m-...`.

        Raises:
            RuntimeError: another run is active, or none.
        """
        import mlflow

        # It cannot tell the version of pip in an environment that uv made, and says so each time.
        logging.getLogger("mlflow.utils.environment").setLevel(logging.ERROR)
        active = mlflow.active_run()
        if active is None or active.info.run_id != run_id:
            raise RuntimeError(f"MLflow run {run_id} is not the active one, so no model can be logged to it")
        logging.getLogger("mlflow.pyfunc").setLevel(logging.WARNING)  # it tells that it looks at the example
        with _no_bytecode():  # MLflow runs the logged code once, in the artifact store
            info = mlflow.pyfunc.log_model(
                name="model",
                python_model=str(Path(__file__).with_name("pyfunc_model.py")),
                artifacts={"bundle": str(bundle)},
                signature=_signature(columns),
                input_example=_example(columns, example),
                pip_requirements=requirements(),  # inferring them takes 7-10 s
                metadata={"bundle_sha256": sha256, "columns": {c.name: _describe(c) for c in columns}},
                tags={"bundle_sha256": sha256},
            )
        return info.model_uri

    def client(self) -> "MlflowClient":
        """MLflow's client for this address; its registry is the same server."""
        from mlflow import MlflowClient

        return MlflowClient(self.uri, self.uri)


@contextmanager
def _no_bytecode() -> Iterator[None]:
    """Python writes no `.pyc` beside the code that it runs: the artifact store holds what was logged, nothing else."""
    before = sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before


def requirements() -> list[str]:
    """What a process that loads a logged model must have installed, pinned to what is installed here."""
    xgboost = "xgboost-cpu" if _installed("xgboost-cpu") else "xgboost"  # one module, two distributions
    names = ("loan-platform", "mlflow", "numpy", "pandas", "polars", "pydantic", "sqlglot", xgboost)
    return [f"{name}=={version(name)}" for name in names]


def _installed(name: str) -> bool:
    try:
        return bool(version(name))
    except PackageNotFoundError:
        return False


def _signature(columns: Sequence[Column]) -> "ModelSignature":
    """Names of the inputs, types of the outputs; the types of the inputs are in the model's metadata.

    MLflow's own column types change values before the model sees them: in its JSON forms a missing boolean
    becomes false and a missing text "None", `double` refuses a frame's int64 and `long` a column with gaps.
    So every input is `any`, and optional (its error on an absent one prints the rows): the model checks both.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema
    from mlflow.types.schema import AnyType

    inputs = Schema([ColSpec(AnyType(), column.name, required=False) for column in columns])
    types = {name: "double" if dtype == pl.Float64 else "string" for name, dtype in ANSWER_SCHEMA.items()}
    outputs = Schema([ColSpec(kind, name) for name, kind in types.items()])
    return ModelSignature(inputs, outputs)


def _example(columns: Sequence[Column], rows: pl.DataFrame) -> "pd.DataFrame":
    """Rows as a caller would write them: MLflow's JSON of a date column is a number of milliseconds."""
    names = [column.name for column in columns if column.name in rows.columns]
    dates = [column.name for column in columns if column.type == "date" and column.name in names]
    return rows.select(names).with_columns(pl.col(dates).cast(pl.String)).to_pandas()


def _describe(column: Column) -> dict[str, Any]:
    return column.model_dump(include={"type", "unit", "description", "required"}, exclude_none=True)


def _dataset_input(dataset: Dataset) -> Any:
    from mlflow.entities import Dataset as Logged
    from mlflow.entities import DatasetInput, InputTag

    logged = Logged(
        name=f"{dataset.name} ({dataset.context})",  # of two with the same name and digest MLflow drops one
        digest=dataset.sha256[:32],  # MLflow keeps 36 characters
        source_type="local",
        source=json.dumps({"uri": dataset.path}),
        profile=json.dumps({"num_rows": dataset.rows, "sha256": dataset.sha256}),
    )
    return DatasetInput(logged, [InputTag("mlflow.data.context", dataset.context)])


def _log_files(client: "MlflowClient", run_id: str, files: Mapping[str, bytes | str]) -> None:
    with TemporaryDirectory() as folder:
        for name, content in files.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        client.log_artifacts(run_id, folder)


def _batches(items: list[tuple[str, Any]], size: int) -> Iterator[list[tuple[str, Any]]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)

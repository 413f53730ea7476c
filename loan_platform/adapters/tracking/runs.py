"""Runs of MLflow: experiments, parameters, metrics, data sets and files.

The import of MLflow takes a second, so it happens inside the functions.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow import MlflowClient

# Limits of MLflow's REST API.
_MAX_PARAMS = 100  # per call, of parameters and of tags
_MAX_METRICS = 1000  # per call
_MAX_PARAM_LENGTH = 6000  # characters


@dataclass(frozen=True)
class Dataset:
    """A data set that a run used.

    Attributes:
        name: of the asset.
        sha256: of its file.
        path: of its file.
        rows: number of rows.
        context: use of the data, such as `training` or `test`.
    """

    name: str
    sha256: str
    path: str
    rows: int
    context: str = "training"


@dataclass(frozen=True)
class Tracking:
    """One MLflow instance.

    Attributes:
        uri: tracking URI; the registry has the same.
        artifacts: folder of the artifacts of a local instance; None: the server decides.
    """

    uri: str
    artifacts: Path | None = None

    def experiment(self, name: str) -> str:
        """Id of the experiment. It is created on first use, with its files in `artifacts`.

        By default MLflow would put them in a folder `mlruns` of the working directory.
        """
        from mlflow.exceptions import MlflowException

        client = self.client()
        if found := client.get_experiment_by_name(name):
            return found.experiment_id
        location = (self.artifacts / name).as_uri() if self.artifacts else None
        try:
            return client.create_experiment(name, artifact_location=location)
        except MlflowException as error:  # another process has just created it
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
        """Add to a run.

        Args:
            run_id: of the run.
            params: parameters; a value that is no text is written as JSON.
            metrics: metrics.
            tags: tags; a value that is no text is written as JSON.
            datasets: data sets that the run used.
            files: plots and tables by their path in the run, such as `plots/roc.png`.
        """
        from mlflow.entities import Metric, Param, RunTag

        client, now = self.client(), int(time.time() * 1000)
        for batch in _batches([(k, _text(v)) for k, v in (params or {}).items()], _MAX_PARAMS):
            client.log_batch(run_id, params=[Param(k, v[:_MAX_PARAM_LENGTH]) for k, v in batch])
        for batch in _batches(list((metrics or {}).items()), _MAX_METRICS):
            client.log_batch(run_id, metrics=[Metric(k, float(v), now, 0) for k, v in batch])
        for batch in _batches([(k, _text(v)) for k, v in (tags or {}).items()], _MAX_PARAMS):
            client.log_batch(run_id, tags=[RunTag(k, v) for k, v in batch])
        if datasets:
            client.log_inputs(run_id, [_dataset_input(dataset) for dataset in datasets])
        if files:
            _log_files(client, run_id, files)

    def client(self) -> "MlflowClient":
        """MLflow's client for tracking and registry."""
        from mlflow import MlflowClient

        return MlflowClient(self.uri, self.uri)


def _dataset_input(dataset: Dataset) -> Any:
    from mlflow.entities import Dataset as Logged
    from mlflow.entities import DatasetInput, InputTag

    logged = Logged(
        name=f"{dataset.name} ({dataset.context})",  # MLflow drops one of two data sets with the same name and digest
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

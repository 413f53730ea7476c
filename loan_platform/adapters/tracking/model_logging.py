"""Log a model bundle to MLflow as a model that is code and JSON, without pickle."""

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from loan_platform.adapters.tracking.model_format import FORMAT_TAG, MODEL_FORMAT
from loan_platform.core.book.parts.columns import Column
from loan_platform.core.scoring.answer import ANSWER_SCHEMA

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.models import ModelSignature

_CODE = Path(__file__).with_name("pyfunc_model.py")


def log_bundle(run_id: str, bundle: Path, sha256: str, columns: Sequence[Column], example: pl.DataFrame) -> str:
    """Log a bundle to the active run.

    Args:
        run_id: the active run of this process.
        bundle: directory of the bundle.
        sha256: of the bundle; the registry identifies versions by it.
        columns: application columns that the model takes.
        example: a few rows of them, such as the golden rows.

    Returns:
        URI of the model, `models:/m-...`.

    Raises:
        RuntimeError: no run is active, or another one.
    """
    import mlflow

    active = mlflow.active_run()
    if active is None or active.info.run_id != run_id:
        raise RuntimeError(f"MLflow run {run_id} is not the active run, so no model can be logged to it")
    with _quiet_loggers(), _no_bytecode():  # MLflow runs the logged code once, in the artifact store
        info = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(_CODE),
            artifacts={"bundle": str(bundle)},
            signature=_signature(columns),
            input_example=_example(columns, example),
            pip_requirements=requirements(),  # without them MLflow takes 7-10 s to infer them
            model_config={"bundle_sha256": sha256},  # what the loaded model expects of its bundle
            metadata={
                "bundle_sha256": sha256,
                FORMAT_TAG: MODEL_FORMAT,
                "columns": {c.name: _describe(c) for c in columns},
            },
            tags={"bundle_sha256": sha256, FORMAT_TAG: str(MODEL_FORMAT)},
        )
    return info.model_uri


def requirements() -> list[str]:
    """Packages that a process needs to load a logged model, pinned to the installed versions."""
    xgboost = "xgboost-cpu" if _installed("xgboost-cpu") else "xgboost"  # one module, two distributions
    names = ("loan-platform", "mlflow", "numpy", "pandas", "polars", "pydantic", "sqlglot", xgboost)
    return [f"{name}=={version(name)}" for name in names]


def _installed(name: str) -> bool:
    try:
        return bool(version(name))
    except PackageNotFoundError:
        return False


def _signature(columns: Sequence[Column]) -> "ModelSignature":
    """Names of the inputs, and names and types of the outputs. The model's metadata has the types of the inputs.

    MLflow's column types change values before the model sees them. In its JSON forms a missing boolean becomes false
    and a missing text "None". `double` rejects the int64 of a frame, and `long` a column with missing values. Its
    error about a missing column prints the rows. So every input is `any` and optional, and the model checks both.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema
    from mlflow.types.schema import AnyType

    inputs = Schema([ColSpec(AnyType(), column.name, required=False) for column in columns])
    types = {name: "double" if dtype == pl.Float64 else "string" for name, dtype in ANSWER_SCHEMA.items()}
    outputs = Schema([ColSpec(kind, name) for name, kind in types.items()])
    return ModelSignature(inputs, outputs)


def _example(columns: Sequence[Column], rows: pl.DataFrame) -> "pd.DataFrame":
    """Rows as a caller writes them. MLflow would write a date column as milliseconds."""
    names = [column.name for column in columns if column.name in rows.columns]
    dates = [column.name for column in columns if column.type == "date" and column.name in names]
    return rows.select(names).with_columns(pl.col(dates).cast(pl.String)).to_pandas()


def _describe(column: Column) -> dict[str, Any]:
    return column.model_dump(include={"type", "unit", "description", "required"}, exclude_none=True)


@contextmanager
def _quiet_loggers() -> Iterator[None]:
    """Silence MLflow's notes on the pip version, which it cannot find where uv made the environment, and on the
    example."""
    levels = {"mlflow.utils.environment": logging.ERROR, "mlflow.pyfunc": logging.WARNING}
    before = {name: logging.getLogger(name).level for name in levels}
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


@contextmanager
def _no_bytecode() -> Iterator[None]:
    """Write no `.pyc` files, so that the artifact store holds only what was logged."""
    before = sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before

"""The MLflow run of one Dagster asset. dagster-mlflow opens it, and this module ends it.

dagster-mlflow's hook ends the run when the first op ends, and its import takes over a second. So its resource is
opened inside the tracked asset.
"""

import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager

import dagster as dg

from loan_platform.adapters.tracking.runs import Tracking

PARENT_TAG = "mlflow.parentRunId"


@contextmanager
def tracked_run(
    context: dg.AssetExecutionContext,
    tracking: Tracking,
    portfolio: str,
    tags: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """Open the MLflow run of this Dagster run in the portfolio's experiment and give its id.

    A retry continues the run with the same tag `dagster_run_id`. The run ends as FINISHED, as FAILED on an exception,
    or as KILLED on an interrupt.

    Args:
        context: of the asset.
        tracking: where the run is opened.
        portfolio: name of the experiment.
        tags: more tags of the run.

    Raises:
        RuntimeError: a run is already open in this process; the resource would silently write to it.
    """
    import mlflow

    if (active := mlflow.active_run()) is not None:
        raise RuntimeError(f"MLflow run {active.info.run_id} is already open. End it before you open another.")
    tracking.experiment(portfolio)  # dagster-mlflow would put its files below the working directory
    with _own_environment(), ExitStack() as opened:
        with _quietly():
            opened.enter_context(_resource(context, tracking, portfolio, tags or {}))
        run = mlflow.active_run()
        assert run is not None  # the resource has just opened it
        try:
            yield run.info.run_id
        except BaseException as error:
            mlflow.end_run("FAILED" if isinstance(error, Exception) else "KILLED")
            raise
        mlflow.end_run("FINISHED")


@contextmanager
def run_below(tracking: Tracking, portfolio: str, parent: str | None, name: str) -> Iterator[str]:
    """Open an MLflow run of its own below an ended run, and give its id.

    The ended run stays as it is, whatever becomes of this one. It ends as FINISHED, or as FAILED on an exception.

    Args:
        tracking: where the run is opened.
        portfolio: name of the experiment.
        parent: id of the ended run; None: there is none.
        name: of the run, as people read it.

    Raises:
        RuntimeError: a run is already open in this process.
    """
    import mlflow

    if (active := mlflow.active_run()) is not None:
        raise RuntimeError(f"MLflow run {active.info.run_id} is already open. End it before you open another.")
    tags = {"portfolio": portfolio} | ({PARENT_TAG: parent} if parent else {})
    with _own_environment():
        mlflow.set_tracking_uri(tracking.uri)
        mlflow.set_registry_uri(tracking.uri)
        with mlflow.start_run(experiment_id=tracking.experiment(portfolio), run_name=name, tags=tags) as run:
            yield run.info.run_id


def _resource(
    context: dg.AssetExecutionContext, tracking: Tracking, portfolio: str, tags: Mapping[str, str]
) -> AbstractContextManager[object]:
    import mlflow
    from dagster_mlflow import mlflow_tracking

    mlflow.set_registry_uri(tracking.uri)  # the resource sets only the tracking URI
    config = {
        "experiment_name": portfolio,
        "mlflow_tracking_uri": tracking.uri,
        "extra_tags": {
            "portfolio": portfolio,
            "mlflow.runName": f"{portfolio} {context.run.run_id[:8]}",
            **tags,
        },
        "env": {},
    }
    return dg.build_resources(
        {"mlflow": mlflow_tracking},
        instance=context.instance,
        dagster_run=context.run,
        resource_config={"mlflow": {"config": config}},
        log_manager=context.log,
    )


@contextmanager
def _own_environment() -> Iterator[None]:
    """Restore MLFLOW_TRACKING_URI, which MLflow sets; later code must not take it for a setting of the user."""
    before = os.environ.get("MLFLOW_TRACKING_URI")
    try:
        yield
    finally:
        if before is None:
            os.environ.pop("MLFLOW_TRACKING_URI", None)
        else:
            os.environ["MLFLOW_TRACKING_URI"] = before


@contextmanager
def _quietly() -> Iterator[None]:
    """Silence dagster-mlflow's warnings that it is in beta and uses deprecated names of Dagster."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        yield

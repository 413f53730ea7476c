"""The MLflow run of one Dagster asset, opened by dagster-mlflow and ended here.

dagster-mlflow's own hook ends the run when the first op ends, and its import takes over a second; so its
resource is opened inside the asset that is tracked, around exactly what is tracked.
"""

import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager

import dagster as dg

from loan_platform.adapters.tracking.runs import Tracking


@contextmanager
def tracked_run(
    context: dg.AssetExecutionContext,
    tracking: Tracking,
    portfolio: str,
    tags: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """Open the MLflow run of this Dagster run in the portfolio's experiment and give its id.

    A retry continues the run it finds by its tag `dagster_run_id`. The run ends as FINISHED, as FAILED on an
    exception, as KILLED on an interrupt.

    Raises:
        RuntimeError: a run is open in this process already, which the resource would silently write to.
    """
    import mlflow

    if (active := mlflow.active_run()) is not None:
        raise RuntimeError(f"MLflow run {active.info.run_id} is open already: end it before opening another")
    tracking.experiment(portfolio)  # before dagster-mlflow does, which would put its files below the cwd
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


def _resource(
    context: dg.AssetExecutionContext, tracking: Tracking, portfolio: str, tags: Mapping[str, str]
) -> AbstractContextManager[object]:
    import mlflow
    from dagster_mlflow import mlflow_tracking

    mlflow.set_registry_uri(tracking.uri)  # the resource sets only the other one
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
    """MLflow exports the address it is given; a later start here must not take it for a setting."""
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
    """dagster-mlflow warns that it is beta, and that it reads Dagster's old names."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        yield

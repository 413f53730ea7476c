import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import mlflow
import pytest
from mlflow.entities import Run

from loan_platform.adapters.tracking.runs import Tracking
from loan_platform.adapters.tracking.tracked_run import PARENT_TAG, run_below, tracked_run
from loan_platform.settings.platform import PlatformSettings
from loan_platform_tests.support.processes.homes import ready_home


@pytest.fixture(scope="module")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Tracking:
    settings = PlatformSettings.from_environment({"LOAN_PLATFORM_HOME": str(tmp_path_factory.mktemp("home"))})
    ready_home(settings.home)
    return Tracking(settings.tracking_uri, settings.mlartifacts)


def test_one_dagster_run_is_one_finished_mlflow_run(tracking: Tracking) -> None:
    ids = list[str]()

    @dg.asset
    def model(context: dg.AssetExecutionContext) -> None:
        with tracked_run(context, tracking, "finished", {"code_version": "1"}) as run_id:
            tracking.log(run_id, metrics={"auc": 0.7}, files={"plots/roc.png": b"png"})
            ids.append(run_id)

    before = os.environ.get("MLFLOW_TRACKING_URI")
    result = dg.materialize([model])
    assert mlflow.active_run() is None
    assert os.environ.get("MLFLOW_TRACKING_URI") == before
    (run,) = _runs(tracking, "finished")
    assert run.info.run_id == ids[0]
    assert run.info.status == "FINISHED"
    assert run.data.tags["dagster_run_id"] == result.run_id
    assert run.data.tags["code_version"] == "1"
    assert run.data.tags["portfolio"] == "finished"
    assert run.info.run_name == f"finished {result.run_id[:8]}"
    assert tracking.artifacts is not None
    assert (tracking.artifacts / "finished" / ids[0] / "artifacts" / "plots" / "roc.png").read_bytes() == b"png"
    assert not Path("mlruns").exists()


@pytest.mark.parametrize(("error", "status"), [(ValueError, "FAILED"), (KeyboardInterrupt, "KILLED")])
def test_an_error_ends_the_run_as_what_it_is(tracking: Tracking, error: type[BaseException], status: str) -> None:
    @dg.asset
    def model(context: dg.AssetExecutionContext) -> None:
        with tracked_run(context, tracking, status.lower()):
            raise error

    with pytest.raises(error):
        dg.materialize([model])
    assert [run.info.status for run in _runs(tracking, status.lower())] == [status]
    assert mlflow.active_run() is None


def test_a_retry_continues_the_run(tracking: Tracking) -> None:
    tries = list[str]()

    @dg.asset(retry_policy=dg.RetryPolicy(max_retries=1))
    def model(context: dg.AssetExecutionContext) -> None:
        with tracked_run(context, tracking, "retried") as run_id:
            tries.append(run_id)
            if len(tries) == 1:
                raise ValueError

    assert dg.materialize([model]).success
    (run,) = _runs(tracking, "retried")
    assert tries == [run.info.run_id, run.info.run_id]
    assert run.info.status == "FINISHED"


def test_a_run_that_is_open_already_is_not_written_to(tracking: Tracking) -> None:
    @dg.asset
    def model(context: dg.AssetExecutionContext) -> None:
        with tracked_run(context, tracking, "nested"), tracked_run(context, tracking, "nested"):
            pass

    with pytest.raises(RuntimeError, match="is already open"):
        dg.materialize([model])
    assert [run.info.status for run in _runs(tracking, "nested")] == ["FAILED"]


def test_a_run_below_leaves_the_ended_run_as_it_is(tracking: Tracking) -> None:
    client = tracking.client()
    parent = client.create_run(tracking.experiment("below")).info.run_id
    client.set_terminated(parent, "FINISHED", end_time=1)
    with pytest.raises(OSError, match="no space"), run_below(tracking, "below", parent, "a policy"):
        raise OSError("no space")
    with run_below(tracking, "below", None, "another policy"):
        pass
    assert mlflow.active_run() is None
    found = {run.info.run_name: run for run in _runs(tracking, "below")}
    assert (found["a policy"].info.status, found["another policy"].info.status) == ("FAILED", "FINISHED")
    assert found["a policy"].data.tags[PARENT_TAG] == parent
    before = client.get_run(parent).info
    assert (before.status, before.end_time) == ("FINISHED", 1)


def test_importing_it_imports_neither_mlflow_nor_dagster_mlflow() -> None:
    code = (
        "import sys, loan_platform.adapters.tracking.tracked_run, loan_platform.adapters.tracking.registry;"
        "print([m for m in ('mlflow', 'dagster_mlflow', 'pandas') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def _runs(tracking: Tracking, name: str) -> list[Run]:
    return list(tracking.client().search_runs([tracking.experiment(name)]))

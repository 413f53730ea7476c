"""A job that Dagster itself cannot run is told like a step that fails."""

import io

import dagster as dg

from loan_platform.cli.jobs import run_job
from loan_platform.cli.run_log import RunLog


@dg.asset
def rows() -> None:
    """Nothing."""


def test_a_job_that_cannot_start_says_why() -> None:
    defs = dg.Definitions(assets=[rows], jobs=[dg.define_asset_job("scoring", "*")], executor=dg.in_process_executor)
    log, shown = RunLog(), io.StringIO()
    with dg.DagsterInstance.ephemeral() as instance:
        assert not run_job(defs, "scoring", instance, log, ops={"unknown": {}}, out=shown)
    (error,) = log.errors
    assert error.startswith("scoring: Error in config for job")
    assert f"✗ {error}\n" == shown.getvalue()

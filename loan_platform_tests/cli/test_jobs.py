"""A job that Dagster cannot run, or that a check stops, is told in the words of the platform."""

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


@dg.asset(check_specs=[dg.AssetCheckSpec("sound", asset="gated", blocking=True)])
def gated() -> dg.MaterializeResult:
    """Stopped by its check."""
    return dg.MaterializeResult(check_results=[dg.AssetCheckResult(passed=False, description="3 rows are broken.")])


def test_a_check_that_stops_a_job_is_told_once_without_classes() -> None:
    defs = dg.Definitions(assets=[gated], jobs=[dg.define_asset_job("training", "*")], executor=dg.in_process_executor)
    log, shown = RunLog(), io.StringIO()
    with dg.DagsterInstance.ephemeral() as instance:
        assert not run_job(defs, "training", instance, log, out=shown)
    assert (log.errors, log.refusals) == ([], ["gated: sound. 3 rows are broken."])
    assert "dagster._core" not in shown.getvalue()
    assert "✗ gated" in shown.getvalue()

"""Dagster's event log with kept connections: the same databases and events as Dagster's own storage writes."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa

from loan_platform.adapters.platform.event_log import MOST_OPEN, EventLog, EventLogError
from loan_platform.settings.checkout import checkout_root

DAYS = dg.StaticPartitionsDefinition(["1", "2", "3"])
RANGE = {"dagster/asset_partition_range_start": "1", "dagster/asset_partition_range_end": "3"}
FULL = dg.AssetCheckSpec("full", asset="by_day")
DAGSTERS_OWN = "telemetry: {enabled: false}\n"


@dg.asset(partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run(), check_specs=[FULL])
def by_day() -> dg.MaterializeResult:
    """An asset with partitions and a check."""
    return dg.MaterializeResult(check_results=[dg.AssetCheckResult(passed=False, metadata={"rows": 0})])


@dg.asset
def always() -> None:
    """An asset without partitions."""


def platform_yaml() -> str:
    root = checkout_root()
    assert root is not None
    return (root / "dagster.yaml").read_text()


@contextmanager
def instance_in(folder: Path, yaml: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    folder.mkdir(exist_ok=True)
    (folder / "dagster.yaml").write_text(yaml)
    monkeypatch.setenv("DAGSTER_HOME", str(folder))
    with dg.DagsterInstance.from_config(str(folder)) as instance:
        yield instance


def run(instance: dg.DagsterInstance, asset: dg.AssetsDefinition, tags: dict[str, str] | None = None) -> str:
    result = (
        dg.Definitions([asset]).resolve_implicit_global_asset_job_def().execute_in_process(instance=instance, tags=tags)
    )
    return result.run_id


def in_index(folder: Path) -> list[tuple[str, str, str]]:
    with closing(sqlite3.connect(folder / "history" / "runs" / "index.db")) as index:
        return index.execute("SELECT dagster_event_type, asset_key, partition FROM event_logs ORDER BY id").fetchall()


def event_types(instance: dg.DagsterInstance, run_id: str) -> list[str]:
    events = [entry.dagster_event for entry in instance.all_logs(run_id)]
    return [event.event_type_value for event in events if event]


def test_it_writes_the_events_of_dagsters_own_storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []
    for name, yaml in (("ours", platform_yaml()), ("dagsters", DAGSTERS_OWN)):
        with instance_in(tmp_path / name, yaml, monkeypatch) as instance:
            types = [event_types(instance, run(instance, always)), event_types(instance, run(instance, by_day, RANGE))]
            days = instance.get_materialized_partitions(dg.AssetKey("by_day"))
            [check] = instance.event_log_storage.get_latest_asset_check_execution_by_key([FULL.key]).values()
        written.append((types, days, check.status, in_index(tmp_path / name)))
    assert written[0] == written[1]
    assert written[0][1] == {"1", "2", "3"}


def test_a_home_may_change_between_the_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for yaml in (DAGSTERS_OWN, platform_yaml(), DAGSTERS_OWN):
        with instance_in(tmp_path, yaml, monkeypatch) as instance:
            run(instance, always)
    with instance_in(tmp_path, platform_yaml(), monkeypatch) as instance:
        records = instance.fetch_materializations(dg.AssetKey("always"), limit=10).records
    assert len({record.run_id for record in records}) == 3


def test_many_runs_keep_few_databases_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with instance_in(tmp_path, platform_yaml(), monkeypatch) as instance:
        runs = [run(instance, always) for _ in range(MOST_OPEN + 2)]
        for run_id in runs:  # those that were closed are opened again
            assert instance.all_logs(run_id)
        here = str(tmp_path)
        open_files = {path for path in map(Path.resolve, Path("/proc/self/fd").iterdir()) if here in str(path)}
        assert 0 < len({path for path in open_files if path.suffix == ".db"}) <= MOST_OPEN
    open_files = {path for path in map(Path.resolve, Path("/proc/self/fd").iterdir()) if here in str(path)}
    assert not {path for path in open_files if path.suffix == ".db"}


def test_a_wiped_log_takes_new_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with instance_in(tmp_path, platform_yaml(), monkeypatch) as instance:
        run(instance, always)
        instance.wipe()
        assert instance.get_latest_materialization_event(dg.AssetKey("always")) is None
        assert instance.all_logs(run(instance, always))


def test_a_commit_does_not_wait_for_the_disk(tmp_path: Path) -> None:
    log = EventLog(str(tmp_path))
    with log.index_connection() as connection:
        modes = [connection.execute(sa.text(f"PRAGMA {name}")).scalar() for name in ("journal_mode", "synchronous")]
    assert modes == ["wal", 1]
    log.dispose()


def test_a_folder_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    with pytest.raises(EventLogError, match="DAGSTER_HOME"):
        EventLog.from_config_value(None, {"base_dir": "$DAGSTER_HOME/history/runs"})

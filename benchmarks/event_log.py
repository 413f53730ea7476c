"""How long Dagster's events take: a run of two assets over 160 batches, with each storage of its event log.

    python benchmarks/event_log.py [--folder FOLDER]

Each storage runs three times, in turn. The table has the median seconds of wall clock and of the processor. FOLDER is
where the databases are written; it matters because Dagster's own storage waits for the disk.
"""

import argparse
import logging
import statistics
import time
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import dagster as dg

BATCHES, ROUNDS = 160, 3
OURS = """
event_log_storage:
  module: loan_platform.adapters.platform.event_log
  class: EventLog
  config: {base_dir: %s/history/runs}
"""


def job() -> dg.JobDefinition:
    """Two assets, the second after the first, each of 160 batches."""
    batches = dg.StaticPartitionsDefinition([f"{number:03}" for number in range(BATCHES)])
    at_once = dg.BackfillPolicy.single_run()

    @dg.asset(partitions_def=batches, backfill_policy=at_once)
    def first() -> None: ...

    @dg.asset(partitions_def=batches, backfill_policy=at_once, deps=[first])
    def second() -> None: ...

    return dg.Definitions([first, second]).resolve_implicit_global_asset_job_def()


def seconds(yaml: str, folder: Path) -> tuple[float, float]:
    """Wall clock and processor seconds of a run in a new instance."""
    (folder / "dagster.yaml").write_text("telemetry: {enabled: false}\n" + yaml)
    tags = {"dagster/asset_partition_range_start": "000", "dagster/asset_partition_range_end": f"{BATCHES - 1:03}"}
    with dg.DagsterInstance.from_config(str(folder)) as instance:
        wall, processor = time.perf_counter(), time.process_time()
        job().execute_in_process(instance=instance, tags=tags)
        return time.perf_counter() - wall, time.process_time() - processor


def main() -> None:
    """Measure both storages and print the table."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", help="where to write the databases; the system's temporary folder by default")
    where = parser.parse_args().folder
    found: dict[str, list[tuple[float, float]]] = {"Dagster's own": [], "kept connections": []}
    for _ in range(ROUNDS):
        for name, measured in found.items():
            with TemporaryDirectory(dir=where) as folder:
                measured.append(seconds("" if name == "Dagster's own" else OURS % folder, Path(folder)))
    print(f"{4 * BATCHES} events of batches, medians of {ROUNDS}")
    for name, measured in found.items():
        wall, processor = (statistics.median(column) for column in zip(*measured, strict=True))
        print(f"{name:18} {wall:6.1f} s, processor {processor:5.1f} s")


if __name__ == "__main__":
    main()

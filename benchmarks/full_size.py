"""Duration and peak memory of the whole pipeline on generated raw files.

    python benchmarks/full_size.py --rows 226000 2260000

Each size runs in its own process: raw CSV to promoted model, every row scored, one drift report.
"""

import argparse
import contextlib
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from loan_platform.settings.platform import PlatformSettings

BOOK = "lending_club"
JOBS = ("training", "promotion", "scoring", "monitoring")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[226_000, 2_260_000])
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "loan_platform_benchmark")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.rows[0], arguments.folder)), flush=True)
        os._exit(0)  # skips exit handlers: DuckDB would print every object that is still alive
    results = [measure_in_process(rows, arguments.folder) for rows in arguments.rows]
    for result in results:
        print(json.dumps(result, indent=1))
    for small, large in itertools.pairwise(results):
        growth = large["pipeline_seconds"] / small["pipeline_seconds"]
        print(f"growth: {large['rows'] / small['rows']:.1f} times the rows take {growth:.1f} times as long")


def measure_in_process(rows: int, folder: Path) -> dict[str, Any]:
    """Run `measure` in a new process and add its peak memory."""
    environment = os.environ | {
        "LOAN_PLATFORM_HOME": str(folder / f"home-{rows}"),
        "DAGSTER_HOME": str(folder / f"home-{rows}" / "dagster"),
        "OMP_WAIT_POLICY": "passive",
    }
    command = [sys.executable, __file__, "--one", "--rows", str(rows), "--folder", str(folder)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        watch, peak = psutil.Process(process.pid), 0
        while process.poll() is None:
            peak = max(peak, resident(watch))
            time.sleep(0.2)
        output = process.stdout.read() if process.stdout else ""
    if process.returncode:
        sys.exit(process.returncode)
    return json.loads(output.splitlines()[-1]) | {"peak_megabytes": peak // 1024**2}


def resident(process: psutil.Process) -> int:
    """Present resident memory of a process and its helpers, in bytes."""
    total = 0
    for one in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += one.memory_info().rss
    return total


def measure(rows: int, folder: Path) -> dict[str, Any]:
    """Generate the raw file, run the jobs, then time scoring alone."""
    import dagster as dg

    from loan_platform.adapters.platform.home import ensure_home
    from loan_platform.adapters.reports.helper_process import peak_megabytes
    from loan_platform.cli.jobs import run_job
    from loan_platform.cli.run_log import RunLog
    from loan_platform.definitions import defs
    from loan_platform.sample_data.lending_club.files import write_loan_book
    from loan_platform.settings.platform import PlatformSettings

    settings = PlatformSettings.from_environment()
    ensure_home(settings)
    raw = folder / f"loans-{rows}.csv"
    folder.mkdir(parents=True, exist_ok=True)
    if not raw.exists():
        write_loan_book(raw, rows=rows, seed=1)
    os.environ["LENDING_CLUB_LOANS"] = os.environ["LENDING_CLUB_APPLICATIONS"] = str(raw)
    os.environ["LENDING_CLUB_OUTCOMES"] = str(raw)
    month = {"dagster/partition": "2018-12"}
    log, started = RunLog(), time.perf_counter()
    with dg.DagsterInstance.get() as instance:
        for purpose in JOBS:
            tags = month if purpose == "monitoring" else None
            if not run_job(defs(), f"{BOOK}_{purpose}", instance, log, tags):
                raise SystemExit(f"{purpose} failed: {log.errors}")
    seconds = time.perf_counter() - started
    return {
        "rows": rows,
        "raw_megabytes": round(raw.stat().st_size / 1e6),
        "pipeline_seconds": round(seconds, 1),
        "peak_megabytes": peak_megabytes(),
        "ingestion_and_validation_seconds": round(
            sum(log.seconds[step] for step in ("raw_loans", "validated_loans")), 1
        ),
        "scoring_rows_per_second": scoring_speed(settings),
        "steps": {
            name: {"seconds": round(seconds, 1), "peak_megabytes_so_far": log.peak_megabytes[name]}
            for name, seconds in log.seconds.items()
        },
    }


def scoring_speed(settings: "PlatformSettings") -> int:
    """Rows per second from typed columns to probability and score, median of three."""
    import polars as pl

    from loan_platform.adapters.storage.model_store import ModelStore

    model = ModelStore(settings.lake / BOOK / "trained_model").newest().bundle().model
    columns = [column.name for column in model.inputs]
    rows = pl.read_parquet(settings.lake / BOOK / "applications" / "part-0.parquet", columns=columns)
    times: list[float] = []
    for _ in range(3):
        start = time.perf_counter()
        model.score(rows)
        times.append(time.perf_counter() - start)
    return round(rows.height / statistics.median(times))


if __name__ == "__main__":
    main()

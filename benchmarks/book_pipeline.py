"""Duration of a book's whole asset graph, from raw files to drift reports.

    python benchmarks/book_pipeline.py --book retail_loans

Each run is the command `dagster job execute -j <book>_pipeline` in its own process on an empty home. The sources come
from the environment (RETAIL_LOANS_LOANS, ...).
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

RUN = re.compile(r"Finished steps in process \(pid: \d+\) in (?:(\d+)m)?([\d.]+)s")
STEP = re.compile(r'Finished execution of step "\w+?__(\w+)" in ([\d.]+)(ms|s|m)')
SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--book", default="retail_loans")
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    runs = [measure(arguments.book) for _ in range(arguments.runs)]
    for name, seconds in ("whole process", [run[0] for run in runs]), ("all steps", [run[1] for run in runs]):
        spread = f"median of {len(runs)}; {min(seconds):.1f} to {max(seconds):.1f}"
        print(f"{arguments.book}, {name}: {statistics.median(seconds):.1f} s ({spread})")
    steps = {name: statistics.median(run[2].get(name, 0.0) for run in runs) for name in runs[0][2]}
    print("median duration of each step:")
    for name, seconds in sorted(steps.items(), key=lambda item: -item[1]):
        print(f"{seconds:7.2f} s  {name}")


def measure(book: str) -> tuple[float, float, dict[str, float]]:
    """Seconds of the whole process, of all steps as Dagster reports them, and of each step."""
    with tempfile.TemporaryDirectory(prefix="book-pipeline-") as home:
        environment = os.environ | {"LOAN_PLATFORM_HOME": home, "DAGSTER_HOME": str(Path(home, "dagster"))}
        bin = Path(sys.executable).parent
        subprocess.run([bin / "loan-platform", "init"], env=environment, check=True, capture_output=True)
        command = [bin / "dagster", "job", "execute", "-m", "loan_platform.definitions", "-j", f"{book}_pipeline"]
        started = time.perf_counter()
        ran = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
        seconds = time.perf_counter() - started
        if ran.returncode:
            sys.exit(ran.stderr[-3000:])
        minutes, rest = RUN.findall(ran.stderr)[-1]
        return seconds, int(minutes or 0) * 60 + float(rest), dict(_steps(ran.stderr))


def _steps(log: str) -> Iterator[tuple[str, float]]:
    for name, number, unit in STEP.findall(log):
        yield name, float(number) * SECONDS[unit]


if __name__ == "__main__":
    main()

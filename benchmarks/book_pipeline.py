"""Time of a book's whole graph, from raw files to drift reports: python benchmarks/book_pipeline.py --book retail_loans

Each run is the command that people type, `dagster job execute -j <book>_pipeline`, in a process of its own on an empty
home. Sources come from the environment (RETAIL_LOANS_LOANS, ...).
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

STEP = re.compile(r'Finished execution of step "\w+?__(\w+)" in ([\d.]+)(ms|s|m)')
SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--book", default="retail_loans")
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    runs = [measure(arguments.book) for _ in range(arguments.runs)]
    wall = sorted(seconds for seconds, _ in runs)
    print(f"{arguments.book}: {statistics.median(wall):.1f} s (median of {len(wall)}; {wall[0]:.1f} to {wall[-1]:.1f})")
    steps = {name: statistics.median(run[1].get(name, 0.0) for run in runs) for name in runs[0][1]}
    for name, seconds in sorted(steps.items(), key=lambda item: -item[1]):
        print(f"{seconds:7.2f} s  {name}")


def measure(book: str) -> tuple[float, dict[str, float]]:
    """Seconds of the whole process, and of each step."""
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
        return seconds, dict(_steps(ran.stderr))


def _steps(log: str) -> Iterator[tuple[str, float]]:
    for name, number, unit in STEP.findall(log):
        yield name, float(number) * SECONDS[unit]


if __name__ == "__main__":
    main()

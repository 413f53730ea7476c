"""Write the three files: `python -m loan_platform.sample_data.lending_club --rows N --out DIR`."""

import argparse
import sys
import time
from pathlib import Path

from loan_platform.sample_data.lending_club.files import (
    Applications,
    GeneratedFile,
    write_applications,
    write_loan_book,
    write_outcomes,
)

APPLICATIONS_PER_LOAN = 0.1


def main() -> None:
    """Read the arguments, write the three files, print path, rows, size and seconds of each."""
    arguments = _arguments()
    out, share = Path(arguments.out), float(arguments.dirty_share)
    batch = Applications(rows=max(1, round(APPLICATIONS_PER_LOAN * arguments.rows)), seed=arguments.seed)
    clock = time.perf_counter()
    book = write_loan_book(out / "loans.csv", rows=arguments.rows, seed=arguments.seed, dirty_share=share)
    clock = _report(book, clock)
    clock = _report(write_applications(out / "applications.csv", batch, dirty_share=share), clock)
    _report(write_outcomes(out / "outcomes.csv", batch), clock)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m loan_platform.sample_data.lending_club")
    parser.add_argument("--rows", type=int, required=True, help="loans in the book; a tenth as many applications")
    parser.add_argument("--out", required=True, help="folder to write to")
    parser.add_argument("--seed", type=int, default=20190331)
    parser.add_argument("--dirty-share", type=float, default=0.01, help="share of dirty rows, 0 to 0.5")
    return parser.parse_args()


def _report(file: GeneratedFile, since: float) -> float:
    now = time.perf_counter()
    size, dirty = file.size_bytes / 1e6, file.rows - file.clean_rows
    sys.stdout.write(f"{file.path}  {file.rows:,} rows ({dirty:,} dirty)  {size:.1f} MB  {now - since:.1f} s\n")
    return now


if __name__ == "__main__":
    main()

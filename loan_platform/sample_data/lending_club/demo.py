"""The files of LendingClub's demo: a loan book, applications that drift in their last two months, first outcomes."""

from pathlib import Path

from loan_platform.sample_data.lending_club.files import (
    Applications,
    write_applications,
    write_loan_book,
    write_outcomes,
)
from loan_platform.sample_data.lending_club.people import Drift

ROWS = 60_000
SEED = 2_026
BOOK_START = "2013-01"
FIRST_MONTH, LAST_MONTH = "2018-07", "2018-12"
DRIFT = Drift(start="2018-11", income_factor=0.7, fico_shift=-25, purpose_shift=0.3)
RESOLVED_MONTHS = 3
MIN_APPLICATIONS = 3_000


def write_demo_files(folder: Path, rows: int) -> str:
    """Write `loans.csv`, `applications.csv` and `outcomes.csv`, and say what was written.

    Args:
        folder: where the files go; it is created.
        rows: loans in the book; a tenth as many applications, at least 3,000.
    """
    folder.mkdir(parents=True, exist_ok=True)
    count = max(rows // 10, MIN_APPLICATIONS)
    batch = Applications(rows=count, seed=SEED, start=FIRST_MONTH, end=LAST_MONTH, drift=DRIFT)
    book = write_loan_book(folder / "loans.csv", rows=rows, seed=SEED, start=BOOK_START)
    write_applications(folder / "applications.csv", batch)
    write_outcomes(folder / "outcomes.csv", batch, resolved_months=RESOLVED_MONTHS)
    return f"{book.rows:,} raw loans in {book.path}"

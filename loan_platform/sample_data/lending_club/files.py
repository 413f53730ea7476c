"""Write generated LendingClub-form CSV files: the loan book, new applications, and their later outcomes."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from loan_platform.sample_data.lending_club.chunk import Request, draw_chunk
from loan_platform.sample_data.lending_club.columns import RAW_COLUMNS, Ints
from loan_platform.sample_data.lending_club.dirt import KINDS, MAX_SHARE, Truth, spoil
from loan_platform.sample_data.lending_club.months import loans_by_month, month_number
from loan_platform.sample_data.lending_club.people import Drift
from loan_platform.sample_data.lending_club.writer import write_atomically

CHUNK_ROWS = 100_000
"""Rows drawn and written at a time. Part of the format: another value gives other bytes."""
FIRST_BOOK_ID = 1_000_000
FIRST_APPLICATION_ID = 1_000_000_000
BOOK_KEY, APPLICATION_KEY = 0, 1
DIRT_KEYS = {"book": 2, "applications": 3, "outcomes": 4}
LONGEST_TERM = 60
MAX_BOOK_ROWS = 16_000_000
"""Above it the ids of the book would run into those of the applications."""
FOOTER = (
    b"Total amount funded in policy code 1: 460296150\n"
    b"Total amount funded in policy code 2: 0" + b"," * (len(RAW_COLUMNS) - 1) + b"\n"
)
"""Bare as in the lender's own downloads, and filled up with commas as in the public merged file."""


@dataclass(frozen=True)
class GeneratedFile:
    """A written file and the truth about it: `rows` data records, of them `dirty` by kind."""

    path: Path
    rows: int
    dirty: dict[str, int]
    size_bytes: int
    sha256: str

    @property
    def clean_rows(self) -> int:
        """Rows that a correct ingestion accepts."""
        return self.rows - sum(self.dirty.values())


@dataclass(frozen=True)
class Applications:
    """A batch of new applicants, the same people for the applications file and the outcomes file."""

    rows: int
    seed: int
    start: str = "2018-07"
    end: str = "2018-12"
    drift: Drift | None = None


def write_loan_book(
    path: Path,
    *,
    rows: int,
    seed: int,
    start: str = "2012-01",
    end: str = "2018-12",
    snapshot: str = "2019-03",
    dirty_share: float = 0.01,
    footer: bool = True,
    drift: Drift | None = None,
) -> GeneratedFile:
    """Write all loans of the vintages start..end as the month `snapshot` sees them; months are "YYYY-MM".

    Raises ValueError for a month that is none, a snapshot before the last vintage, or a share over 0.5.
    """
    seen = month_number(snapshot)
    if seen < month_number(end):
        raise ValueError(f"snapshot {snapshot} is before the last vintage {end}")
    if rows > MAX_BOOK_ROWS:
        raise ValueError(f"at most {MAX_BOOK_ROWS} rows, not {rows}")
    months = _issue_months(rows, start, end)
    whole = Request(seed, BOOK_KEY, FIRST_BOOK_ID, months, np.full(rows, seen), drift=drift)
    return _write(path, whole, _Form("book", dirty_share, footer))


def write_applications(
    path: Path,
    batch: Applications,
    *,
    dirty_share: float = 0.01,
    footer: bool = False,
) -> GeneratedFile:
    """Write the batch at application: all columns about the outcome are empty, and no id is in a loan book."""
    months = _issue_months(batch.rows, batch.start, batch.end)
    whole = Request(batch.seed, APPLICATION_KEY, FIRST_APPLICATION_ID, months, None, drift=batch.drift)
    return _write(path, whole, _Form("applications", dirty_share, footer))


def write_outcomes(
    path: Path,
    batch: Applications,
    *,
    resolved_months: int = 3,
    snapshot: str = "2019-03",
    dirty_share: float = 0.0,
    footer: bool = False,
) -> GeneratedFile:
    """Write what became of the batch: final for its first months, `Current` for the rest.

    Loans of the first `resolved_months` months are shown after the longest term (Fully Paid or Charged Off);
    the later ones are shown as performing at `snapshot`, as a lender whose labels come late would see them.
    """
    months = _issue_months(batch.rows, batch.start, batch.end)
    last_resolved = month_number(batch.start) + resolved_months - 1
    running = months > last_resolved
    if running.any() and month_number(snapshot) < month_number(batch.end):
        raise ValueError(f"snapshot {snapshot} is before the last month {batch.end}")
    as_of = np.where(running, month_number(snapshot), last_resolved + LONGEST_TERM)
    whole = Request(batch.seed, APPLICATION_KEY, FIRST_APPLICATION_ID, months, as_of, running, batch.drift)
    return _write(path, whole, _Form("outcomes", dirty_share, footer))


def _issue_months(rows: int, start: str, end: str) -> Ints:
    if rows < 0:
        raise ValueError(f"rows must not be negative: {rows}")
    first, last = month_number(start), month_number(end)
    return np.repeat(np.arange(first, last + 1), loans_by_month(rows, first, last))


@dataclass(frozen=True)
class _Form:
    """What a file looks like, whoever is in it."""

    name: str
    dirty_share: float
    footer: bool

    def __post_init__(self) -> None:
        if not 0 <= self.dirty_share <= MAX_SHARE:
            raise ValueError(f"dirty_share {self.dirty_share} is not within 0..{MAX_SHARE}")


def _write(path: Path, whole: Request, form: _Form) -> GeneratedFile:
    truth = Truth()
    size, digest = write_atomically(path, _blocks(whole, form, truth))
    return GeneratedFile(
        path=path,
        rows=len(whole.months),
        dirty={kind: truth.counts[kind] for kind in KINDS},
        size_bytes=size,
        sha256=digest,
    )


def _blocks(whole: Request, form: _Form, truth: Truth) -> Iterator[bytes | memoryview]:
    rows = len(whole.months)
    yield (",".join(RAW_COLUMNS) + "\n").encode()
    for number, first in enumerate(range(0, rows, CHUNK_ROWS)):
        text = io.BytesIO()
        draw_chunk(whole.chunk(number, first, first + CHUNK_ROWS)).write_csv(text, include_header=False)
        key = (DIRT_KEYS[form.name], number)
        rng = np.random.default_rng(np.random.SeedSequence(whole.seed, spawn_key=key))
        yield from spoil(rng, text.getbuffer(), first, form.dirty_share, truth)
    if form.footer:
        yield FOOTER

"""Books whose raw files Python code generates. Other books may have a `sample.sql` beside their contract."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from loan_platform.sample_data.lending_club import demo


@dataclass(frozen=True)
class SampleGenerator:
    """Python code that writes the raw files of one book.

    Attributes:
        write: writes the files into a folder, given the number of loans, and says what it wrote.
        default_rows: number of loans by default.
        first_batch: first batch of the generated applications.
        last_batch: last batch of the generated applications.
    """

    write: Callable[[Path, int], str]
    default_rows: int
    first_batch: str
    last_batch: str


LENDING_CLUB = SampleGenerator(demo.write_demo_files, demo.ROWS, demo.FIRST_MONTH, demo.LAST_MONTH)

GENERATORS: Mapping[str, SampleGenerator] = {"lending_club": LENDING_CLUB}

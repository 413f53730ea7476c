"""Dirty rows: each spoils itself only, and the truth about how many of which kind is returned."""

import csv
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from loan_platform.sample_data.lending_club.columns import RAW_COLUMNS, Ints

Edit = tuple[tuple[str, str], ...]
FIELD_EDITS: dict[str, Edit] = {
    "text_in_number": (
        ("annual_inc", "sixty thousand"), ("dti", "n.a."), ("loan_amnt", "10k"),
        ("fico_range_low", "#REF!"),
    ),
    "impossible_date": (
        ("issue_d", "Foo-2015"), ("earliest_cr_line", "Feb-30-2015"), ("issue_d", "Jan-0000"),
    ),
    "not_finite": (("annual_inc", "NaN"), ("revol_bal", "inf"), ("dti", "1e400"), ("loan_amnt", "-inf")),
    "negative_income": (("annual_inc", "-52000.0"),),
    "dti_out_of_range": (("dti", "99999.0"), ("dti", "-7.5")),
    "unknown_category": (("home_ownership", "CASTLE"), ("term", " 48 months"), ("purpose", "yacht")),
    "missing_required": (("loan_amnt", ""), ("issue_d", "")),
    "invalid_utf8": (("emp_title", "Caf\udce9 manager"), ("title", "Cr\udce9dit")),
}  # fmt: skip
"""Column and new text of each variant; surrogates become the raw bytes of Latin-1, which are not UTF-8."""
LAST_FIELDS_CUT = 7
KINDS = ("too_few_fields", "too_many_fields", "open_quote", "duplicate_id", *FIELD_EDITS)
"""All kinds, in the order in which they take turns through a file."""
MAX_SHARE = 0.5
POSITION = {name: index for index, name in enumerate(RAW_COLUMNS)}


@dataclass
class Truth:
    """Dirty rows written so far, by kind."""

    counts: Counter[str] = field(default_factory=Counter[str])


def spoil(
    rng: np.random.Generator, text: memoryview, first_row: int, share: float, truth: Truth
) -> Iterator[bytes | memoryview]:
    """Yield the chunk's CSV bytes with `share` of its lines replaced by dirty ones.

    The chunk must hold one line per row. Kinds take turns over the whole file, so counts differ by one at
    most. Every kind leaves one CSV record per row; an open quote runs on to a lone quote on a line of its
    own, so its record spans two lines and ends there for every reader.
    """
    ends = np.flatnonzero(np.frombuffer(text, dtype=np.uint8) == ord("\n")) + 1
    starts = np.concatenate([np.zeros(1, dtype=np.int64), ends[:-1]])
    rank = dirty_before(first_row, share)
    wanted = dirty_before(first_row + len(ends), share) - rank
    dirty = np.sort(rng.choice(len(ends), size=wanted, replace=False))
    clean = np.setdiff1d(np.arange(len(ends)), dirty, assume_unique=True)
    done = 0
    for turn, row in enumerate(dirty.tolist(), start=rank):
        yield text[done : starts[row]]
        kind = KINDS[turn % len(KINDS)]
        source = _nearest_clean(clean, row) if kind == "duplicate_id" else row
        yield _dirty_line(bytes(text[starts[source] : ends[source]]), kind, turn // len(KINDS))
        truth.counts[kind] += 1
        done = int(ends[row])
    yield text[done:]


def dirty_before(row: int, share: float) -> int:
    """Number of dirty rows among the first `row` rows of a file."""
    return int(np.floor(share * row + 0.5))


def _nearest_clean(clean: Ints, row: int) -> int:
    """The clean row before `row`, or the one after it at the start of a chunk."""
    return int(clean[max(int(np.searchsorted(clean, row)) - 1, 0)])


def _dirty_line(line: bytes, kind: str, turn: int) -> bytes:
    if kind == "duplicate_id":
        return line
    fields = next(csv.reader([line.decode()]))
    if kind == "too_few_fields":
        return _line(fields[:-LAST_FIELDS_CUT] if turn % 2 else fields[:40])
    if kind == "too_many_fields":
        return _line([*fields, "1.0"] if turn % 2 else [*fields[:11], "RN", *fields[11:]])
    if kind == "open_quote":
        return _open_quote(fields)
    column, value = FIELD_EDITS[kind][turn % len(FIELD_EDITS[kind])]
    fields[POSITION[column]] = value
    return _line(fields)


def _open_quote(fields: list[str]) -> bytes:
    job = POSITION["emp_title"]
    swallowed = ",".join(fields[job:]).replace('"', "'")
    return _line(fields[:job])[:-1] + b',"' + swallowed.encode() + b'\n"\n'


def _line(fields: list[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(fields)
    return text.getvalue().encode("utf-8", "surrogateescape")

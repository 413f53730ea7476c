"""Audit records as lines of a hash chain: the format of a line, and the check of a chain.

A line is a JSON object. It begins with its number `n` and with `prev`, the hash of the line before. It ends with
`sha256`, the hash of all its bytes before that field.

- A changed line has another hash than its `sha256`.
- A line that was removed, inserted or moved breaks the numbers and hashes of its neighbours.
- No line follows the last one, so it is compared with the head: number and hash of the last line, kept in another file.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

ZERO_HASH = "0" * 64
_OWN = b',"sha256":"'
_TAIL = len(_OWN) + 64 + len(b'"}')


class Head(NamedTuple):
    """The end of a chain: number and hash of its last line; (0, zeros) if it has none."""

    n: int = 0
    sha256: str = ZERO_HASH


class ChainFault(NamedTuple):
    """A fault of a chain, with its place.

    Attributes:
        chain, segment: names of the chain and of its file.
        line: of the file, from 1; 0 for the file as a whole.
        reason: what is wrong.
        invalidates_chain: no record of the chain can be relied on. Otherwise only this line is damaged.
    """

    chain: str
    segment: str
    line: int
    reason: str
    invalidates_chain: bool

    def __str__(self) -> str:
        return f"{self.chain}/{self.segment}:{self.line}: {self.reason}"


class Entry(NamedTuple):
    """A line of a chain with the right hash."""

    n: int
    prev: str
    sha256: str
    record: dict[str, Any]


@dataclass(frozen=True)
class Chain:
    """A chain that was read and checked.

    Attributes:
        name: of the chain.
        records: audit records in order; only those that can be relied on.
        events: lines about the chain itself.
        faults: empty if the chain is intact.
        head: number and hash of its last line.
        hashes: of each line by number.
    """

    name: str
    records: tuple[dict[str, Any], ...] = ()
    events: tuple[dict[str, Any], ...] = ()
    faults: tuple[ChainFault, ...] = ()
    head: Head = field(default_factory=Head)
    hashes: dict[int, str] = field(default_factory=dict[int, str], repr=False)


def append_hash(body: bytes, head: Head) -> tuple[bytes, Head]:
    """Make the next line of a chain, with its line end, and the head after it.

    Args:
        body: a JSON object with at least one field, without line ends.
        head: of the chain so far.
    """
    start = b'{"n":%d,"prev":"%s",%s' % (head.n + 1, head.sha256.encode(), body[1:-1])
    own = hashlib.sha256(start).hexdigest()
    return b'%s%s%s"}\n' % (start, _OWN, own.encode()), Head(head.n + 1, own)


def parse_line(line: bytes) -> Entry | None:
    """Parse a line; None if its hash is wrong, or it is not a line of a chain."""
    start, tail = line[:-_TAIL], line[-_TAIL:]
    own = hashlib.sha256(start).hexdigest()
    if tail != _OWN + own.encode() + b'"}':
        return None
    try:
        value = json.loads(line)
    except ValueError:
        return None
    if not isinstance(value, dict):
        return None
    record = cast("dict[str, Any]", value)
    n, prev = record.pop("n", None), record.pop("prev", None)
    record.pop("sha256", None)
    return Entry(n, prev, own, record) if isinstance(n, int) and isinstance(prev, str) else None


def read_chain(name: str, segments: Iterable[tuple[str, Iterable[bytes]]], head: Head | None) -> Chain:
    """Read and check a chain from its first line to its last.

    Args:
        name: of the chain.
        segments: names and lines of its files, in order.
        head: of the chain when it was last written; None if it is missing.
    """
    at: Head | None = None
    faults: list[ChainFault] = []
    found: list[Entry] = []
    hashes: dict[int, str] = {}
    first: tuple[str, Head] | None = None
    for segment, lines in segments:
        for number, line in enumerate(lines, 1):
            entry = parse_line(line[:-1]) if line.endswith(b"\n") else None
            if entry is None:  # its own hash field may be right: then its neighbours fit
                faults.append(ChainFault(name, segment, number, "was changed or is cut off: its hash is wrong", False))
                at = Head(at.n + 1, _hash_field(line)) if at else None
            else:
                before = Head(entry.n - 1, entry.prev)
                first = first or (segment, before)
                if before != (at or before):
                    faults.append(ChainFault(name, segment, number, _describe_break(before, at or before), True))
                at = Head(entry.n, entry.sha256)
                found.append(entry)
            if at:
                hashes[at.n] = at.sha256
    if first and first[1] != Head():
        hashes[first[1].n] = first[1].sha256
        if first[1] not in _retired(found):
            reason = f"{first[1].n} lines before it are missing or damaged, and no line says why"
            faults.append(ChainFault(name, first[0], 1, reason, True))
    end = at or Head()
    if why := _wrong_head(head, end, hashes | {0: ZERO_HASH}):
        faults.append(ChainFault(name, "head", 1, why, True))
    records = tuple(e.record for e in found if "request_id" in e.record)
    events = tuple(e.record for e in found if "request_id" not in e.record)
    invalid = any(fault.invalidates_chain for fault in faults)
    return Chain(name, () if invalid else records, events, tuple(faults), end, hashes)


def _retired(entries: Sequence[Entry]) -> list[Head]:
    """Last lines of files that were deleted after their retention period, as later lines record them."""
    return [Head(e.record["retired"]["n"], e.record["retired"]["sha256"]) for e in entries if "retired" in e.record]


def _wrong_head(head: Head | None, end: Head, hashes: dict[int, str]) -> str | None:
    if head is None:
        return None if end == Head() else "is missing or was changed: the end of the chain cannot be checked"
    if head.n > end.n:
        return f"{head.n - end.n} lines at the end of the chain are missing"
    return None if hashes.get(head.n) == head.sha256 else f"line {head.n} is not the one that was written"


def _hash_field(line: bytes) -> str:
    return line.rstrip(b"\n")[-66:-2].decode("latin-1")


def _describe_break(before: Head, at: Head) -> str:
    if before.n > at.n:
        return f"{before.n - at.n} lines before it are missing"
    if before.n < at.n:
        return "is duplicated, or was inserted or moved"
    return "the line before it is not the one that was written"


def split_lines(data: bytes) -> Iterator[bytes]:
    """The lines of a segment, each with its line end `\\n`. The last one may lack it."""
    start = 0
    while start < len(data):
        end = data.find(b"\n", start) + 1 or len(data)
        yield data[start:end]
        start = end

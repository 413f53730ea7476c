"""Chains of records: whole ones are whole, and whatever is done to one is found."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from loan_platform.adapters.audit import chain_files
from loan_platform.adapters.audit.keys import AuditKey
from loan_platform.core.audit.hash_chain import Chain, Head, append_hash, parse_line, read_chain, split_lines

LINES, SEGMENT = 60, 20
Lines = list[bytes]


def whole(lines: int = LINES) -> tuple[Lines, Head]:
    head, found = Head(), Lines()
    for number in range(lines):
        line, head = append_hash(json.dumps({"request_id": f"r{number}", "probability": number / 7}).encode(), head)
        found.append(line)
    return found, head


def read(lines: Lines, head: Head | None) -> Chain:
    data = b"".join(lines)
    cut = sum(map(len, lines[:SEGMENT]))
    return read_chain("chain-1", [("1", split_lines(data[:cut])), ("2", split_lines(data[cut:]))], head)


def test_a_whole_chain_is_whole() -> None:
    lines, head = whole()
    chain = read(lines, head)
    assert (chain.faults, chain.head, len(chain.records)) == ((), head, LINES)
    assert chain.records[7] == {"request_id": "r7", "probability": 1.0}


def test_a_chain_that_went_on_after_its_head_is_whole() -> None:
    lines, _ = whole()
    entry = parse_line(lines[50][:-1])
    assert entry is not None
    assert read(lines, Head(entry.n, entry.sha256)).faults == ()


def byte(lines: Lines, dice: random.Random) -> Lines:
    at = dice.randrange(len(lines))
    line = bytearray(lines[at])
    place = dice.randrange(len(line))
    line[place] = dice.choice([value for value in range(256) if value != line[place]])
    return [*lines[:at], bytes(line), *lines[at + 1 :]]


def removed(lines: Lines, dice: random.Random) -> Lines:
    start = dice.randrange(len(lines))
    return lines[:start] + lines[start + dice.randint(1, 3) :]


def moved(lines: Lines, dice: random.Random) -> Lines:
    one, other = dice.sample(range(len(lines)), 2)
    changed = list(lines)
    changed[one], changed[other] = changed[other], changed[one]
    return changed


def put_in(lines: Lines, dice: random.Random) -> Lines:
    at = dice.randrange(len(lines) + 1)
    return [*lines[:at], dice.choice(lines), *lines[at:]]


def forged(lines: Lines, dice: random.Random) -> Lines:
    """A record of other content whose hash is its own."""
    at = dice.randrange(len(lines))
    entry = parse_line(lines[at][:-1])
    assert entry is not None
    line, _ = append_hash(json.dumps(entry.record | {"probability": 0.01}).encode(), Head(entry.n - 1, entry.prev))
    return [*lines[:at], line, *lines[at + 1 :]]


def rewritten(lines: Lines, dice: random.Random) -> Lines:
    """A record of other content, and every line after it made anew."""
    at = dice.randrange(len(lines))
    entries = [parse_line(line[:-1]) for line in lines]
    first = entries[at]
    assert first is not None
    head, found = Head(first.n - 1, first.prev), lines[:at]
    for entry in entries[at:]:
        assert entry is not None
        line, head = append_hash(json.dumps(entry.record | {"probability": 0.01}).encode(), head)
        found.append(line)
    return found


def cut_off(lines: Lines, dice: random.Random) -> Lines:
    data = b"".join(lines)
    return list(split_lines(data[: dice.randrange(len(data))]))


TAMPERINGS = (byte, removed, moved, put_in, forged, rewritten, cut_off)


@pytest.mark.parametrize("tamper", TAMPERINGS)
def test_every_tampering_is_found(tamper: Callable[[Lines, random.Random], Lines]) -> None:
    lines, head = whole()
    unfound = []
    for seed in range(150):  # 1,050 of all kinds
        changed = tamper(lines, random.Random(seed))
        chain = read(changed, head)
        if changed != lines and not chain.faults:
            unfound.append(seed)
        known = read(lines, head).records
        assert all(record in known for record in chain.records), seed  # what is used is what was written
    assert unfound == []


def test_a_changed_line_is_named_and_the_others_stand() -> None:
    lines, head = whole()
    lines[25] = lines[25].replace(b'"r25"', b'"r99"')
    chain = read(lines, head)
    (fault,) = chain.faults
    assert (fault.segment, fault.line, fault.invalidates_chain) == ("2", 6, False)
    assert len(chain.records) == LINES - 1


def test_lines_may_be_gone_where_the_chain_says_so() -> None:
    lines, head = whole()
    entry = parse_line(lines[SEGMENT - 1][:-1])
    assert entry is not None
    told = json.dumps({"retired": {"n": entry.n, "sha256": entry.sha256}}).encode()
    last, end = append_hash(told, head)
    kept = [*lines[SEGMENT:], last]
    assert read_chain("chain-1", [("2", kept)], end).faults == ()
    assert read_chain("chain-1", [("2", lines[SEGMENT:])], head).faults[0].invalidates_chain


def test_the_end_of_a_chain_needs_its_key(tmp_path: Path) -> None:
    AuditKey.create(tmp_path / "key")
    AuditKey.create(tmp_path / "other")
    key, other = AuditKey.read(tmp_path / "key"), AuditKey.read(tmp_path / "other")
    (tmp_path / "head").write_bytes(chain_files.head_bytes(Head(3, "a" * 64), key))
    assert chain_files.read_head(tmp_path, key) == Head(3, "a" * 64)
    assert chain_files.read_head(tmp_path, other) is None
    (tmp_path / "head").write_bytes(chain_files.head_bytes(Head(3, "a" * 64), None))
    assert chain_files.read_head(tmp_path, key) is None
    (tmp_path / "head").write_bytes(chain_files.head_bytes(Head(3, "a" * 64), key))
    (tmp_path / "head").write_bytes((tmp_path / "head").read_bytes().replace(b" 3,", b" 2,"))
    assert chain_files.read_head(tmp_path, key) is None

"""Whatever the bytes of a file: rows reconcile, nothing is coerced silently, or one clear error says why not."""

import csv
import gzip
import os
import re
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loan_platform.adapters.warehouse.session import DuckDbSession
from loan_platform.adapters.warehouse.warehouse import Warehouse
from loan_platform.core.errors import SourceError
from loan_platform_tests.support.ingest import HEADER, Ingested, ingest
from loan_platform_tests.support.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.thorough

EXAMPLES = int(os.environ.get("FUZZ_FILES", "120"))
CANARY = "CANARY-5e0c"
NAMES = HEADER.split(",")

VALUES = {
    "id": ["1", "2", "3", "7", " 8 ", "=cmd|'/c calc'!A1", "é", "", "NA", '"4"', '"5\n6"'],
    "issued": ["2015-03-01", "Mar-2015", "Jan-0000", "2015-02-30", "epoch", "", "01/02/2015", "19-Jun-14"],
    "income": ["1", "-1", "1e400", "NaN", "inf", "$5", '"1,234"', '"12,5"', "1.234,56", "", "1_000", "9" * 400],
    "rate": ["0.1", "11.5%", " 9 %", "1", "x", "", "-3", "%"],
    "term": ["36", "36.0", "36.5", "0", "1e3", ""],
    "home": ["Own", "rent", "TENT", "n/a", '"Own: no mortgage"', '"Own', 'R"ent'],
    "joint": ["y", "n", "maybe", ""],
    "status": ["good", "BAD", "current", ""],
    "note": [f"{CANARY}", f'"{CANARY}, ""quoted"""', f'"{CANARY}\nnext"', f'"{CANARY}', f"{CANARY}\0", ""],
}
GOOD = {"id": st.integers(10, 99).map(str), **{name: st.sampled_from(VALUES[name][:2]) for name in NAMES[1:]}}
GOOD["income"] = st.sampled_from(["1", "5e4", "$5", '"1,234"', "1_000"])
CELLS = [st.one_of(*[GOOD[name]] * 20, st.sampled_from(VALUES[name])) for name in NAMES]
RECORDS = st.tuples(*CELLS).map(",".join)
LINES = st.one_of(*[RECORDS] * 9, st.sampled_from(["", " ", "1,2", HEADER, "a" * 3000, ",".join([CANARY] * 9)]))
ENDS = st.sampled_from(["\n", "\n", "\r\n", "\r"])
HEADERS = st.sampled_from([HEADER, HEADER, HEADER, HEADER.upper(), "note\n\n" + HEADER, f"{HEADER},id", NAMES[0], ""])


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """The bytes of a file: dirty records, then perhaps another encoding, damaged bytes or gzip."""
    lines = [draw(HEADERS), *draw(st.lists(LINES, max_size=12))]
    text = "".join(line + draw(ENDS) for line in lines)
    data = text.encode(draw(st.sampled_from(["utf-8"] * 6 + ["utf-8-sig", "latin-1", "utf-16"])))
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 3]))):
        place = draw(st.integers(0, len(data)))
        junk = draw(st.one_of(st.binary(max_size=4), st.sampled_from([b'"', b"\0", b"\r", b",", b"\xff"])))
        data = data[:place] + junk + data[place + draw(st.integers(0, 2)) :]
    if draw(st.integers(0, 5)) == 0:
        data = gzip.compress(data)
        data = data[: len(data) - draw(st.sampled_from([0, 0, 4, 9]))]
    return data


@pytest.mark.slow
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(data=files())
def test_rows_reconcile_and_values_are_those_of_the_file(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        path.write_bytes(data)
        try:
            done = ingest([path], Path(folder) / "out", warehouse=Warehouse(DuckDbSession(threads=1)))
        except SourceError as error:
            told = error
        else:
            _check(data, done)
            return
        assert CANARY not in str(told)
        assert told.message
        assert told.hint


def _check(data: bytes, done: Ingested) -> None:
    lines = _lines(data)
    header = done.read.files[0].header_line or 0
    kept = done.accepted["source_line"].to_list()
    refused = done.quarantined["source_line"].to_list()
    begins = sorted([*kept, *refused])
    assert len(set(begins)) == len(begins)
    _check_every_line_has_a_record(lines, header, set(begins), done)
    for row in done.accepted.rows(named=True):
        _check_values(lines, header, row)
    told = str(done.quarantined["message"].to_list()) + str(done.quarantined["faults"].to_list())
    assert CANARY not in told


def _lines(data: bytes) -> list[str]:
    if data.startswith(b"\x1f\x8b"):
        data = gzip.decompress(data)
    text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    return re.split("\r\n|\n|\r", text)


def _record(lines: list[str], number: int) -> tuple[list[str], int]:
    """The CSV record that begins on a line, and how many lines it takes."""
    reader = csv.reader((line + "\n" for line in lines[number - 1 :]), strict=True)
    record = next(reader)
    return record, reader.line_num


def _check_every_line_has_a_record(lines: list[str], header: int, begins: set[int], done: Ingested) -> None:
    inside: set[int] = set()
    structural = {line for line, column, _ in done.reasons if column is None}
    for number in begins - structural:
        inside |= set(range(number, number + _record(lines, number)[1]))
    for number in structural:
        inside |= _open_span(lines, number)
    for number, line in enumerate(lines, start=1):
        if number > header and line.strip():
            assert number in inside | structural, f"line {number} is neither accepted nor quarantined"


def _open_span(lines: list[str], number: int) -> set[int]:
    """Lines that a bad record takes when a quote of its first line is closed on a later one."""
    if lines[number - 1].count('"') % 2 == 0:
        return set()
    for last in range(number + 1, len(lines) + 1):
        if lines[last - 1].count('"') % 2:
            return set() if any(_is_whole(line) for line in lines[number : last - 1]) else set(range(number, last + 1))
    return set()


def _is_whole(line: str) -> bool:
    return len(next(csv.reader([line]), [])) == len(NAMES)


def _check_values(lines: list[str], header: int, row: dict[str, object]) -> None:
    names = [name.strip().lower() for name in _record(lines, header)[0]]
    record = _record(lines, int(str(row["source_line"])))[0]
    cell = dict.fromkeys(NAMES, "") | dict(zip(names, record, strict=True))
    assert row["number"] == cell["id"].strip()
    income = cell["income"].strip()
    if re.fullmatch(r"\$?\d{1,3}(,\d{3})+(\.\d+)?|\$\S+", income):
        income = income.replace(",", "").replace("$", "")
    assert row["income"] == float(income)
    assert float("-inf") < float(income) < float("inf")
    assert row["term"] == (float(cell["term"]) if cell["term"].strip() else None)
    assert str(row["home"]).lower() == cell["home"].strip().lower() or cell["home"].strip() in ("", "NA", "n/a")
    assert row["target"] == {"bad": 1, "good": 0}.get(cell["status"].lower())
    assert isinstance(row["issued"], date)
    assert row["issued"].strftime("%Y") in cell["issued"] or row["issued"].strftime("%y") in cell["issued"]
    if row["rate"] is not None:
        assert row["rate"] == float(cell["rate"].strip(" %"))


SCRIPT = """
import re, sys
from pathlib import Path
from loan_platform.core.errors import SourceError
from loan_platform_tests.support.ingest import ingest
for path in sorted(Path(sys.argv[1]).glob("*.csv")):
    try:
        done = ingest([path], path.with_suffix(""))
        print(path.stem, done.staged.accepted, "accepted", done.staged.quarantined, "quarantined")
    except SourceError as error:
        print(path.stem, error.message)
print(int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_hostile_files_stay_within_half_a_gigabyte(tmp_path: Path) -> None:
    good = "{},2015-03-01,5,,36,Own,n,good,x\n"
    head = HEADER + "\n" + good.format(1)
    big = good.format(2)[:-1] + "x" * 10_000_000
    (tmp_path / "big_cell.csv").write_text(head + big + "\n" + good.format(3))
    (tmp_path / "big_line.csv").write_text(head + "x" * 64_000_000)
    _write_gzip(tmp_path / "bomb_of_one_line.csv", b"", b"0" * 1_000_000, 500)
    _write_gzip(tmp_path / "bomb_of_short_rows.csv", head.encode(), b"1\n" * 500_000, 200)
    command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    output = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE_SECONDS).stdout
    *told, peak = output.splitlines()
    assert told[:3] == [
        "big_cell 2 accepted 1 quarantined",
        "big_line 1 accepted 1 quarantined",
        "bomb_of_one_line has no header: none of its first 25 lines names a column of the contract",
    ]
    assert re.fullmatch(
        "bomb_of_short_rows has [0-9,]+ of [0-9,]+ lines that do not fit the header in line 1, .*", told[3]
    )
    assert int(peak) <= 512


def _write_gzip(path: Path, start: bytes, block: bytes, times: int) -> None:
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(start)
        for _ in range(times):
            file.write(block)

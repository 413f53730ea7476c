"""The writer of records: heals what a crash left, leaves what was tampered with, deletes what is too old."""

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

from loan_platform.adapters.audit.chain_files import HEAD, chains, load_chain, segments
from loan_platform.adapters.audit.writer import DAY, AuditLog, AuditOptions
from loan_platform_tests.support.paths import REPOSITORY
from loan_platform_tests.support.processes.small_disk import run_on_small_disk
from loan_platform_tests.support.waiting import PATIENCE_SECONDS


def put(log: AuditLog, *names: str) -> str | None:
    said: list[str | None] = []
    done = threading.Event()

    def tell(problem: str | None) -> None:
        said.append(problem)
        done.set()

    log.put([b'{"request_id":"%s"}' % name.encode() for name in names], tell)
    assert done.wait(PATIENCE_SECONDS)
    return said[0]


def written(directory: Path, *names: str, keep_days: float | None = None, segment_bytes: int = 16_000_000) -> None:
    log = AuditLog(AuditOptions(directory, segment_bytes, keep_days), None)
    log.start()
    for name in names:
        assert put(log, name) is None
    log.stop()


def recorded(directory: Path) -> list[list[str]]:
    return [[record["request_id"] for record in load_chain(chain, None).records] for chain in chains(directory)]


def faults(directory: Path) -> list[str]:
    return [str(fault) for chain in chains(directory) for fault in load_chain(chain, None).faults]


def test_a_torn_line_is_kept_aside_and_the_chain_goes_on(tmp_path: Path) -> None:
    written(tmp_path, "a", "b")
    (path,) = segments(tmp_path / "chain-1")
    with path.open("ab") as file:
        file.write(b'{"n":4,"prev":"12')
    written(tmp_path, "c")
    assert (recorded(tmp_path), faults(tmp_path)) == ([["a", "b", "c"]], [])
    assert (tmp_path / "chain-1" / "00000001.1.torn").read_bytes() == b'{"n":4,"prev":"12'


def test_a_chain_with_its_end_cut_off_is_left_for_another(tmp_path: Path) -> None:
    written(tmp_path, "a", "b")
    (path,) = segments(tmp_path / "chain-1")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]))
    written(tmp_path, "c")
    assert path.read_bytes() == b"".join(lines[:-1])
    assert recorded(tmp_path) == [[], ["c"]]
    assert faults(tmp_path) == ["chain-1/head:1: 1 lines at the end of the chain are missing"]


def test_a_chain_without_its_head_is_left(tmp_path: Path) -> None:
    written(tmp_path, "a")
    (tmp_path / "chain-1" / HEAD).unlink()
    written(tmp_path, "b")
    assert recorded(tmp_path) == [[], ["b"]]


def test_a_removed_segment_is_a_fault_and_a_retired_one_is_not(tmp_path: Path) -> None:
    written(tmp_path, *"abcdefgh", segment_bytes=300)
    copy = tmp_path / "copy"
    shutil.copytree(tmp_path / "chain-1", copy / "chain-1")
    for path in segments(tmp_path / "chain-1")[:2]:
        os.utime(path, (0, path.stat().st_mtime - 3 * DAY))
    before = len(segments(tmp_path / "chain-1"))
    written(tmp_path, "i", keep_days=2)
    assert len(segments(tmp_path / "chain-1")) == before - 2 + 1
    assert faults(tmp_path) == []
    assert recorded(tmp_path)[0][-1] == "i"
    segments(copy / "chain-1")[0].unlink()
    assert "no line says why" in faults(copy)[0]


def test_two_writers_have_a_chain_each(tmp_path: Path) -> None:
    pair = [AuditLog(AuditOptions(tmp_path), None) for _ in range(2)]
    for log, name in zip(pair, "ab", strict=True):
        log.start()
        assert put(log, name) is None
    for log in pair:
        log.stop()
    assert recorded(tmp_path) == [["a"], ["b"]]


ENDLESS = """
import itertools, os, sys, threading
from pathlib import Path
from loan_platform.adapters.audit.writer import AuditLog, AuditOptions
log = AuditLog(AuditOptions(Path(sys.argv[1]), segment_bytes=20_000), None)
log.start()
def ask(caller):
    for number in itertools.count():
        written = threading.Event()
        name = f"{sys.argv[2]}-{caller}-{number}"
        log.put([b'{"request_id":"%s"}' % name.encode()], lambda problem: written.set())
        written.wait()
        os.write(1, f"{name}\\n".encode())  # in one piece
for caller in range(4):
    threading.Thread(target=ask, args=(caller,)).start()
"""
KILLS = 100 if os.environ.get("LOAN_FAULTS") == "full" else 12


def test_a_writer_killed_at_any_moment_loses_no_acknowledged_row(tmp_path: Path) -> None:
    environment, acknowledged = {**os.environ, "PYTHONPATH": str(REPOSITORY)}, list[str]()
    for kill in range(KILLS):
        line = [sys.executable, "-c", ENDLESS, str(tmp_path), str(kill)]
        with subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            acknowledged += [writer.stdout.readline().strip() for _ in range(50 + 13 * kill)]
            writer.kill()
            acknowledged += [name.strip() for name in writer.stdout if name.endswith("\n")]
    (found,) = recorded(tmp_path)
    assert faults(tmp_path) == []
    assert set(acknowledged) <= set(found)
    assert len(found) == len(set(found)) <= len(acknowledged) + 4 * KILLS


FULL = """
import os, sys
from pathlib import Path
from loan_platform.adapters.audit.writer import AuditLog, AuditOptions
from loan_platform_tests.adapters.audit.test_writer import faults, put, recorded
from loan_platform_tests.support.waiting import until
root = Path(sys.argv[1])
log = AuditLog(AuditOptions(root / "audit"), None)
log.start()
kept = []
(root / "other").write_bytes(bytes(700_000))
for number in range(100_000):
    if put(log, f"{number}" * 40) is not None:
        break
    kept.append(f"{number}" * 40)
else:
    sys.exit("the disk never filled")
assert "No space left" in log.problem, log.problem
assert put(log, "x") is not None
(root / "other").unlink()
until(lambda: put(log, "after") is None)
log.stop()
(found,) = recorded(root / "audit")
assert faults(root / "audit") == []
assert set(kept) <= set(found) and found[-1] == "after"
print("healed", len(kept))
"""


def test_a_full_disk_is_told_and_healed(tmp_path: Path) -> None:
    done = run_on_small_disk(tmp_path, FULL, tmp_path)
    assert (done.returncode, done.stdout.startswith("healed")) == (0, True), done.stderr

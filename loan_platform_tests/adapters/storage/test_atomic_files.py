import os
import subprocess
import sys
from pathlib import Path

import pytest

from loan_platform.adapters.storage.atomic_files import (
    DiskFullError,
    atomic_write,
    explained_disk_full,
    partial_path,
    remove_abandoned,
    sha256,
)
from loan_platform_tests.support.processes.crashes import Failure, fails_at


def test_atomic_write_makes_folders_and_replaces(tmp_path: Path) -> None:
    path = tmp_path / "reports" / "book" / "drift.html"
    atomic_write(path, "old")
    atomic_write(path, "größer".encode())
    assert path.read_text(encoding="utf-8") == "größer"
    assert [p.name for p in path.parent.iterdir()] == ["drift.html"]
    assert path.stat().st_mode & 0o777 == 0o666 & ~_umask()


@pytest.mark.parametrize("failure", ["kill", "EIO", "ENOSPC"])
def test_a_failure_at_every_file_operation_leaves_old_or_new(tmp_path: Path, failure: Failure) -> None:
    path, point, seen = tmp_path / "summary.json", 1, set[str]()
    atomic_write(path, "old")
    while fails_at(point, failure, tmp_path, atomic_write, path, "new"):
        seen.add(path.read_text())
        atomic_write(path, "old")
        assert [p.name for p in tmp_path.iterdir()] == ["summary.json"]
        point += 1
    assert point > 4
    assert seen == {"old", "new"}
    assert path.read_text() == "new"


def test_leftovers_of_dead_processes_alone_are_removed(tmp_path: Path) -> None:
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], stdout=-1, check=True)
    own = partial_path(tmp_path / "a")
    left = own.with_name(own.name.replace(f"~{os.getpid()}~", f"~{int(dead.stdout)}~"))
    elsewhere = own.with_name("a.otherhost~1~0.partial")
    for path in (own, left, elsewhere):
        path.write_text("x")
    remove_abandoned(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {own.name, elsewhere.name}
    os.utime(elsewhere, (0, 0))
    remove_abandoned(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {own.name}


def test_disk_full_says_what_where_and_how_much(tmp_path: Path) -> None:
    said = r"x.json was not written.*5,000 bytes are needed, [\d,]+ bytes are free"
    with pytest.raises(DiskFullError, match=said), explained_disk_full(tmp_path / "x.json", 5000):
        Path("/dev/full").write_text("x")


def test_sha256_is_the_known_one(tmp_path: Path) -> None:
    (tmp_path / "abc").write_text("abc")
    assert sha256(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask

"""Modules are compiled at set-up: a fault in our own is told, and one in an installed package is not."""

import subprocess
import sys
from pathlib import Path

from loan_platform_tests.support.paths import REPOSITORY


def compiled(*folders: Path) -> subprocess.CompletedProcess[str]:
    script = REPOSITORY / "infra" / "compile_bytecode.py"
    return subprocess.run(
        [sys.executable, str(script), *map(str, folders)], capture_output=True, text=True, check=False
    )


def folder_of(folder: Path) -> Path:
    """A folder with a sound module and one with a fault."""
    folder.mkdir(parents=True)
    (folder / "sound.py").write_text("x = 1\n")
    (folder / "faulty.py").write_text("x = (\n")
    return folder


def test_a_fault_of_an_installed_package_is_left(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "site-packages" / "package")
    assert compiled(folder).returncode == 0
    assert [path.name.partition(".")[0] for path in (folder / "__pycache__").iterdir()] == ["sound"]


def test_a_fault_of_our_own_fails_with_its_file(tmp_path: Path) -> None:
    installed, own = folder_of(tmp_path / "site-packages" / "package"), folder_of(tmp_path / "own")
    ran = compiled(own, installed)
    assert ran.returncode == 1
    assert f"{own / 'faulty.py'}" in ran.stdout + ran.stderr
    assert "package" not in ran.stdout + ran.stderr
    for folder in (installed, own):
        assert [path.name.partition(".")[0] for path in (folder / "__pycache__").iterdir()] == ["sound"]

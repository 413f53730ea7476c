"""A disk of a megabyte, in a namespace of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from loan_platform_tests.support.paths import REPOSITORY


def run_on_small_disk(disk: Path, script: str, *arguments: Path) -> "subprocess.CompletedProcess[str]":
    """Run Python source while a directory is a file system of a megabyte; skips where nobody may mount one."""
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-Urm", "true"], check=False).returncode:
        pytest.skip("this machine lets nobody mount a file system of a megabyte (unshare -Urm)")
    told = " ".join(map(str, arguments))
    mount = f"mount -t tmpfs -o size=1m none {disk} && exec {sys.executable} - {told}"
    command, environment = ["unshare", "-Urm", "bash", "-c", mount], {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return subprocess.run(command, input=script, env=environment, capture_output=True, text=True, check=False)

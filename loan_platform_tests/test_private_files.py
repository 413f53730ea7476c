"""Every process that writes files of applicants keeps them from other users of the machine."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from loan_platform_tests.support.service.running import Home

PRINTED = "; import os; print(f'{os.umask(0):o}')"


@pytest.mark.slow
@pytest.mark.attack("machine", "another user reads the lake and the ledger", before="every file was 0644")
@pytest.mark.parametrize("module", ["loan_platform.definitions", "bento.service", "bento.batch.runner"])
def test_a_process_gives_no_rights_to_others(tmp_path: Path, module: str) -> None:
    home = Home(tmp_path / "home")
    environment = {**os.environ, **home.environment, "LOAN_ENV": "development"}
    command = [sys.executable, "-c", f"import {module}{PRINTED}"]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, umask=0o022)
    assert ran.stdout.split()[-1] == "77"

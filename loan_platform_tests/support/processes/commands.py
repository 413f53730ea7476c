"""Commands in processes of their own, as people type them."""

import os
import subprocess
import sys
from pathlib import Path

from loan_platform_tests.support.paths import REPOSITORY

BIN = Path(sys.executable).parent


def run(*command: str, code: int = 0, **environment: str) -> str:
    """What a command of the environment prints, which must end with this exit code."""
    ran = subprocess.run(
        [str(BIN / command[0]), *command[1:]],
        env=os.environ | environment,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == code, ran.stdout[-2000:] + ran.stderr[-2000:]
    return ran.stdout + ran.stderr

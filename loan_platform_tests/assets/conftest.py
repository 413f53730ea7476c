"""Each test starts in a home that is made."""

from pathlib import Path

import pytest

from loan_platform_tests.support.processes.homes import ready_home


@pytest.fixture(autouse=True)
def _ready_home(_own_environment: None, tmp_path: Path) -> None:
    ready_home(tmp_path / "home")

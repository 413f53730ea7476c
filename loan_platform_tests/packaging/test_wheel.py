"""What the wheel carries; `make wheel-check` uses it in a bare environment."""

import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from loan_platform.settings.environment import SettingsError
from loan_platform.settings.supported_platform import require_supported_platform
from loan_platform_tests.support.paths import REPOSITORY


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    (built,) = WheelBuilder(str(REPOSITORY)).build(directory=str(folder), versions=["standard"])
    return zipfile.ZipFile(Path(built))


def test_wheel_carries_what_the_commands_need(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    books = {path.relative_to(REPOSITORY).as_posix() for path in REPOSITORY.glob("loan_platform/defs/*/*.*")}
    schemas = {path.relative_to(REPOSITORY).as_posix() for path in REPOSITORY.glob("loan_platform/schemas/*.json")}
    pages = {path.relative_to(REPOSITORY).as_posix() for path in REPOSITORY.glob("bento/pages/static/*")}
    more = {"loan_platform/dagster.yaml", "loan_platform/py.typed", "bento/service.py", "bento/requirements.lock"}
    assert books | schemas | pages | more <= names
    assert wheel.read("loan_platform/dagster.yaml") == (REPOSITORY / "dagster.yaml").read_bytes()
    assert {name.split("/")[0] for name in names} == {"loan_platform", "bento", "loan_platform-0.1.0.dist-info"}


def test_wheel_states_platforms_licence_and_command(wheel: zipfile.ZipFile) -> None:
    info = Parser().parsestr(wheel.read("loan_platform-0.1.0.dist-info/METADATA").decode())
    classifiers = info.get_all("Classifier") or []
    assert {c for c in classifiers if c.startswith("Operating System")} == {
        "Operating System :: MacOS",
        "Operating System :: POSIX :: Linux",
    }
    assert info["License-Expression"] == "Apache-2.0"
    scripts = wheel.read("loan_platform-0.1.0.dist-info/entry_points.txt").decode()
    assert "loan-platform = loan_platform.cli.main:main" in scripts


def test_other_operating_systems_are_rejected_in_one_sentence() -> None:
    require_supported_platform("linux")
    require_supported_platform("darwin")
    with pytest.raises(SettingsError, match=r"^[^.]*Linux, macOS and WSL\."):
        require_supported_platform("win32")

"""Nothing is sent anywhere: the whole graph of a book runs without one connection beyond this machine."""

import contextlib
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from loan_platform.settings.platform import PlatformSettings
from loan_platform_tests.support.books import write_loans, write_project
from loan_platform_tests.support.paths import REPOSITORY

# Python runs it at the start of every process of the graph, the helpers of Great Expectations and Evidently included.
WATCH = """
import os, sys

def tell(text):
    with open(os.environ["WATCHED"], "a") as file:
        file.write(text + "\\n")

def watch(event, arguments):
    if event == "socket.getaddrinfo" and arguments[0] not in (None, "localhost", "127.0.0.1", "::1"):
        tell(f"BEYOND lookup of {arguments[0]}")
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        if not str(arguments[1][0]).startswith(("127.", "::1")):
            tell(f"BEYOND connection to {arguments[1][0]}")

sys.addaudithook(watch)
tell(f"WATCHED {' '.join(sys.orig_argv)}")
"""

PIPELINE = """
import sys
from pathlib import Path
from loan_platform.settings.quiet import quiet_environment
quiet_environment()
import dagster as dg
from loan_platform.assets.loan_portfolio import location

job = location(Path(sys.argv[1])).resolve_job_def("car_loans_pipeline")
with dg.DagsterInstance.ephemeral() as instance:
    assert job.execute_in_process(instance=instance).success
"""


def watched(tmp_path: Path, code: str, *arguments: str, modules: Path) -> list[str]:
    """What a process and those it started told of themselves, and of connections beyond this machine."""
    (tmp_path / "watch").mkdir()
    (tmp_path / "watch" / "sitecustomize.py").write_text(WATCH)
    told = tmp_path / "told"
    ran = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={name: value for name, value in os.environ.items() if name != "CI"}
        | {"PYTHONPATH": f"{tmp_path / 'watch'}{os.pathsep}{modules}", "WATCHED": str(told)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    return told.read_text().splitlines()


@pytest.mark.slow
def test_the_pipeline_connects_to_nothing(tmp_path: Path) -> None:
    project = write_project(tmp_path / "project")
    data = PlatformSettings.from_environment().data / "car_loans"
    write_loans(data / "loans.csv", 1_500, seed=1)
    write_loans(data / "applications.csv", 200, seed=2, outcomes=False)
    told = watched(tmp_path, PIPELINE, str(project / "small_bank"), modules=project)
    assert [line for line in told if line.startswith("BEYOND")] == []
    helpers = {line.split()[-1] for line in told if "loan_platform.adapters.reports.helper_process" in line}
    assert helpers == {"great_expectations.expectations", "evidently.presets"}


def test_a_connection_of_a_helper_would_be_seen(tmp_path: Path) -> None:
    code = (
        "from loan_platform.adapters.reports.helper_process import HelperProcess\n"
        "from loan_platform_tests.graph.test_offline import look_up\n"
        "HelperProcess(look_up, imports='sqlite3')('telemetry.invalid')\n"
    )
    told = watched(tmp_path, code, modules=REPOSITORY)
    assert [line for line in told if line.startswith("BEYOND")] == ["BEYOND lookup of telemetry.invalid"]


def look_up(host: str) -> None:
    """Ask for an address that does not exist."""
    with contextlib.suppress(socket.gaierror):
        socket.getaddrinfo(host, 443)

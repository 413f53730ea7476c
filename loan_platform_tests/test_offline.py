"""Nothing is sent anywhere: the whole graph of a book runs without one connection beyond this machine."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from loan_platform.settings import Settings
from loan_platform_tests.books import write_loans, write_project

PIPELINE = """
import sys
beyond = []

def watch(event, arguments):
    if event == "socket.getaddrinfo" and arguments[0] not in (None, "localhost", "127.0.0.1", "::1"):
        beyond.append(f"lookup of {arguments[0]}")
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        if not str(arguments[1][0]).startswith(("127.", "::1")):
            beyond.append(f"connection to {arguments[1][0]}")

sys.addaudithook(watch)
from pathlib import Path
from loan_platform.settings import quiet_environment
quiet_environment()
import dagster as dg
from loan_platform.assets.loan_portfolio import location

job = location(Path(sys.argv[1])).resolve_job_def("car_loans_pipeline")
with dg.instance_for_test() as instance:
    assert job.execute_in_process(instance=instance).success
print("BEYOND", beyond)
"""


@pytest.mark.slow
def test_the_pipeline_connects_to_nothing(tmp_path: Path) -> None:
    project = write_project(tmp_path / "project")
    data = Settings.from_environment().data / "car_loans"
    write_loans(data / "loans.csv", 1_500, seed=1)
    write_loans(data / "applications.csv", 200, seed=2, outcomes=False)
    ran = subprocess.run(
        [sys.executable, "-c", PIPELINE, str(project / "small_bank")],
        env={name: value for name, value in os.environ.items() if name != "CI"} | {"PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert "BEYOND []" in ran.stdout

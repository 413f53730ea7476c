"""The real webserver, daemon and service on one home: a run from the UI's API ends in a service that answers."""

from pathlib import Path

import pytest

from loan_platform.settings.platform import PlatformSettings
from loan_platform_tests.support.books import write_loans, write_project
from loan_platform_tests.support.processes.commands import run
from loan_platform_tests.support.processes.dagster import daemon, webserver
from loan_platform_tests.support.processes.listening import family_of, listening
from loan_platform_tests.support.service.running import Home, serving
from loan_platform_tests.support.waiting import until

pytestmark = [pytest.mark.integration, pytest.mark.slow]

MODULE = "small_bank.definitions"
APPLICATION = {"contract_no": "C1", "salary": 40_000, "debt": 9_000, "region": "north"}
ENDED = {"SUCCESS", "FAILURE", "CANCELED"}


def test_a_run_from_the_webserver_gives_the_service_its_model(tmp_path: Path) -> None:
    project, home = write_project(tmp_path / "project"), Home(PlatformSettings.from_environment().home)
    settings = PlatformSettings.from_environment()
    run("loan-platform", "init")  # as `make dev` does
    write_loans(settings.data / "car_loans" / "loans.csv", 1_500, seed=1)
    write_loans(settings.data / "car_loans" / "applications.csv", 200, seed=2, outcomes=False)
    logs = tmp_path / "daemon.log", tmp_path / "webserver.log"
    with (
        daemon(logs[0], settings.dagster_home, project, MODULE) as daemon_pid,
        webserver(logs[1], settings.dagster_home, project, MODULE) as server,
        serving(home, LOAN_ENV="development", LOAN_PORTFOLIO="car_loans") as service,
    ):
        assert service.post("/predict", json=APPLICATION).status_code == 503
        assert listening(family_of(daemon_pid)) == set()  # it talks to its code servers through Unix sockets
        assert listening(family_of(server.pid)) == {("127.0.0.1", server.port)}
        launched = server.launch("car_loans_pipeline")
        until(lambda: server.status(launched) in ENDED, logs[0].read_text)
        assert server.status(launched) == "SUCCESS", logs[0].read_text()
        until(lambda: service.get("/readyz").status_code == 200)
        answer = service.post("/api/v1/predict", json=APPLICATION).json()["data"]
        assert answer["model_version"] == 1
        assert 0 < answer["probability"] < 1

"""Dagster's own processes, as `make dev` starts them."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

from loan_platform.adapters.service.ports import free_port
from loan_platform_tests.support.waiting import PATIENCE_SECONDS, until

LAUNCH = """
mutation Launch($params: ExecutionParams!) {
  launchPipelineExecution(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
    ... on PipelineNotFoundError { message }
    ... on RunConfigValidationInvalid { errors { message } }
  }
}
"""
LOCATION = """
query { workspaceOrError { ... on Workspace { locationEntries {
  name
  locationOrLoadError {
    ... on RepositoryLocation { repositories { name } }
    ... on PythonError { message }
  }
} } } }
"""
STATUS = """
query Status($run: ID!) { runOrError(runId: $run) { ... on Run { status } } }
"""


@contextmanager
def process(log: Path, home: Path, project: Path, *command: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A command of the environment on the code location of a project; ended with its children."""
    paths = os.pathsep.join(filter(None, [str(project), os.environ.get("PYTHONPATH", "")]))
    with log.open("w") as output:
        started = subprocess.Popen(
            [str(Path(sys.executable).with_name(command[0])), *command[1:]],
            env=os.environ | {"PYTHONPATH": paths, "DAGSTER_HOME": str(home)},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield started
    finally:
        with suppress(ProcessLookupError):  # all of them have ended already
            os.killpg(started.pid, signal.SIGKILL)
        started.wait()


class Webserver:
    """The GraphQL API of `dagster-webserver`."""

    def __init__(self, port: int, pid: int) -> None:
        self.port, self.pid = port, pid
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_SECONDS)

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """The data of a query or mutation."""
        answer = self._client.post("/graphql", json={"query": query, "variables": variables}).json()
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def launch(self, job: str) -> str:
        """Launch a job as the UI does; the id of its run."""
        (entry,) = self.ask(LOCATION)["workspaceOrError"]["locationEntries"]
        (repository,) = entry["locationOrLoadError"]["repositories"]
        selector = {
            "repositoryLocationName": entry["name"],
            "repositoryName": repository["name"],
            "pipelineName": job,
        }
        params = {"selector": selector, "mode": "default", "runConfigData": {}}
        launched = self.ask(LAUNCH, params=params)["launchPipelineExecution"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        return launched["run"]["runId"]

    def status(self, run: str) -> str:
        """Status of a run, such as SUCCESS."""
        return self.ask(STATUS, run=run)["runOrError"]["status"]

    def is_up(self) -> bool:
        """Whether it answers."""
        try:
            return self._client.get("/server_info").status_code == 200
        except httpx.TransportError:
            return False


@contextmanager
def webserver(log: Path, home: Path, project: Path, module: str) -> Iterator[Webserver]:
    """`dagster-webserver` on a module, once it answers."""
    port = free_port()
    command = ["dagster-webserver", "-m", module, "-d", str(project), "--host", "127.0.0.1", "--port", str(port)]
    with process(log, home, project, *command) as started:
        server = Webserver(port, started.pid)

        def answers() -> bool:
            assert started.poll() is None, log.read_text()
            return server.is_up()

        until(answers, log.read_text)
        yield server


@contextmanager
def daemon(log: Path, home: Path, project: Path, module: str) -> Iterator[int]:
    """`dagster-daemon run` on a module; its process id."""
    with process(log, home, project, "dagster-daemon", "run", "-m", module, "-d", str(project)) as started:
        yield started.pid

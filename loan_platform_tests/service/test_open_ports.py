"""The ports that a running service opens."""

import stat
from pathlib import Path

import httpx
import pytest

from loan_platform.settings.private_files import OTHERS
from loan_platform_tests.support.bundles import typed_rows
from loan_platform_tests.support.processes.listening import family_of, listening, owner_of
from loan_platform_tests.support.service.batch_jobs import BATCH, ended
from loan_platform_tests.support.service.running import Home, bodies

pytestmark = pytest.mark.slow


@pytest.mark.attack("machine", "another user reads copies, jobs and audit records", before="they were 0644")
def test_the_files_of_a_service_are_its_users_alone(service: httpx.Client, home: Home) -> None:
    row = bodies(typed_rows().head(1))
    ended(service, service.post(BATCH, json=row))
    files = [path for path in home.settings.cache.rglob("*") if "~" not in str(path)]
    assert len(files) > 5
    assert [path for path in files if path.stat().st_mode & OTHERS] == []


@pytest.mark.attack("machine", "BentoML's control ports without a password", before="runs a command as the service")
def test_a_service_listens_on_its_own_port_only(service: httpx.Client) -> None:
    port = service.base_url.port
    assert port is not None
    supervisor = owner_of(port).parent()
    assert supervisor is not None
    family = family_of(supervisor.pid)
    assert len(family) >= 2  # the supervisor and a worker
    assert listening(family) == {("127.0.0.1", port)}
    names = {str(c.laddr) for process in family for c in process.net_connections("unix") if c.laddr}
    control = [Path(name).parent for name in names if Path(name).name == "control"]
    assert control
    assert stat.S_IMODE(control[0].stat().st_mode) == 0o700

"""An empty ledger in a database of either kind."""

import os
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from loan_platform.adapters.ledger.ledger import Ledger
from loan_platform_tests.support.processes.postgres import postgres


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    with postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.db"
    server = request.getfixturevalue("postgres_url")
    name = f"ledger_{os.getpid()}_{random.getrandbits(40)}"
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return server.replace("/postgres?", f"/{name}?")


@pytest.fixture
def ledger(url: str) -> Ledger:
    moments = (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=i) for i in range(1000))
    ledger = Ledger(url, clock=lambda: next(moments))
    ledger.create()
    ledger.create()
    return ledger

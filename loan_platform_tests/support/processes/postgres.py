"""A throw-away PostgreSQL on a Unix socket, where its programs are installed."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest


@contextmanager
def postgres(port: int | None = None) -> Iterator[str]:
    """Address of a fresh server, over TCP if a port is given. Skips without PostgreSQL or a user to run it."""
    programs = _programs()
    prefix = _as_another_user()
    folder = Path(tempfile.mkdtemp(prefix="loan-postgres-"))
    if prefix:
        shutil.chown(folder, "postgres", "postgres")
    data = folder / "data"
    run = partial(subprocess.run, cwd="/", check=True, stdout=subprocess.DEVNULL)
    network = f"-c listen_addresses=127.0.0.1 -c port={port}" if port else "-c listen_addresses=''"
    options = f"{network} -c unix_socket_directories={folder} -c max_connections=50"
    control = [*prefix, str(programs / "pg_ctl"), "-D", str(data), "-w"]
    try:
        initdb = [*prefix, str(programs / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust"]
        run([*initdb, "--no-sync"])
        run([*control, "-o", options, "-l", str(folder / "log"), "start"])
        try:
            address = f"127.0.0.1:{port}/postgres" if port else f"/postgres?host={folder}"
            yield f"postgresql+psycopg2://postgres@{address}"
        finally:
            run([*control, "-m", "immediate", "stop"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    found = str(installed[-1]) if installed else shutil.which("initdb")
    if found is None:
        pytest.skip("PostgreSQL is not installed (no initdb in /usr/lib/postgresql/*/bin or PATH)")
    return Path(found).resolve().parent


def _as_another_user() -> list[str]:
    if os.geteuid() != 0:
        return []
    setpriv = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    if shutil.which("setpriv") is None or subprocess.run([*setpriv, "true"], check=False).returncode != 0:
        pytest.skip("PostgreSQL refuses to run as root, and there is no user postgres to run it as")
    return setpriv

"""The addresses at which a process and its children listen."""

from typing import Any

import psutil


def address(connection: Any) -> tuple[str, int]:
    """Host and port at which a connection listens."""
    return connection.laddr.ip, connection.laddr.port


def listening(family: list[psutil.Process]) -> set[tuple[str, int]]:
    """Host and port of each TCP address at which one of the processes listens."""
    every = [connection for process in family for connection in process.net_connections("inet")]
    return {address(connection) for connection in every if connection.status == psutil.CONN_LISTEN}


def family_of(pid: int) -> list[psutil.Process]:
    """A process with its children, and theirs."""
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def owner_of(port: int) -> psutil.Process:
    """The process that listens on a port; where several share it, their supervisor's child with the lowest id."""
    found = [c.pid for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN and address(c)[1] == port]
    return psutil.Process(min(pid for pid in found if pid is not None))

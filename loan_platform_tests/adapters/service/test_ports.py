"""Ports for servers that are about to start."""

import socket

import pytest

from loan_platform.adapters.service import ports
from loan_platform.adapters.service.ports import PORTS, free_port


def test_a_port_is_free_and_none_that_systems_hand_out() -> None:
    port = free_port()
    assert port in PORTS
    with socket.socket() as server:
        server.bind(("127.0.0.1", port))


def test_a_port_in_use_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = free_port()
    with socket.socket() as server:
        server.bind(("127.0.0.1", taken))
        server.listen()
        monkeypatch.setattr(ports, "PORTS", range(taken, taken + 1))
        with pytest.raises(OSError, match="no port between"):
            free_port()
        monkeypatch.setattr(ports, "PORTS", range(taken, taken + 10))
        assert free_port() in range(taken + 1, taken + 10)

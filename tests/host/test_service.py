from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from overnight.host.service import ServiceManager


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """What a service manager listens on."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(bytes(tmp_path / "notify"))
        listener.settimeout(10)
        yield listener


def test_it_is_told_and_nobody_below_us_can_speak_in_our_name(manager: socket.socket) -> None:
    environ = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7", "PATH": "/"}
    service = ServiceManager(environ, pid=7)
    assert environ == {"PATH": "/"}
    assert service.watches == 30.0
    service.ready("engine 8 works")
    service.status("it\ncrashed")
    service.alive()
    service.stopping()
    assert [manager.recv(100) for _ in range(4)] == [
        b"READY=1\nSTATUS=engine 8 works",
        b"STATUS=it crashed",
        b"WATCHDOG=1",
        b"STOPPING=1",
    ]


def test_an_abstract_name_works_as_well() -> None:
    name = f"@overnight-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0" + name[1:])
        listener.settimeout(10)
        ServiceManager({"NOTIFY_SOCKET": name}).stopping()
        assert listener.recv(100) == b"STOPPING=1"


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:1:2"}])
def test_without_one_nothing_is_told(environ: dict[str, str]) -> None:
    service = ServiceManager(environ)
    service.ready("")
    service.alive()
    assert service.watches is None


@pytest.mark.parametrize("words", [{"WATCHDOG_PID": "8"}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_USEC": "0"}])
def test_a_watch_over_somebody_else_is_not_ours(manager: socket.socket, words: dict[str, str]) -> None:
    environ = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "1000000"} | words
    service = ServiceManager(environ, pid=7)
    service.alive()
    service.stopping()
    assert service.watches is None
    assert manager.recv(100) == b"STOPPING=1"


def test_a_manager_that_is_gone_does_not_stop_us(tmp_path: Path) -> None:
    ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready("")

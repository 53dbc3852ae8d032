"""A sign of life is given while there is life, and its failure is told once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from receivers import serving

from overnight.monitor.pinging import Pinger
from overnight.monitor.snapshot import EngineState, EngineView, Snapshot
from overnight.store.contract import Counts

NOON = 1_800_000_000.0
SECRET = "hush-4711"  # noqa: S105 - that is what the tests look for


class Guard(ThreadingHTTPServer):
    """Counts what it is asked for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Get)
        self.asked: list[str] = []
        self.status = 200
        #: Answers wait for this.
        self.gate = threading.Event()
        self.gate.set()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Get(BaseHTTPRequestHandler):
    server: Guard

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.server.gate.wait(10.0)
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_words: object) -> None:
        """Be quiet."""


@pytest.fixture
def guard() -> Iterator[Guard]:
    with serving(Guard()) as made:
        yield made
        made.gate.set()


def picture(state: EngineState = EngineState.RUNNING) -> Snapshot:
    return Snapshot(NOON, EngineView(state), Counts(), [], None, None)


def test_it_is_given_with_the_secret_filled_in(guard: Guard) -> None:
    pinger = Pinger(guard.address + "/${KEY}", {"KEY": SECRET}, lambda _: None)
    for _ in range(2):
        pinger.ping(picture())
        pinger.wait()
    assert guard.asked == [f"/{SECRET}"] * 2


@pytest.mark.parametrize("state", [EngineState.STOPPED, EngineState.RESTARTING, EngineState.SILENT])
def test_without_life_there_is_no_sign_of_it(guard: Guard, state: EngineState) -> None:
    pinger = Pinger(guard.address, {}, lambda _: None)
    pinger.ping(picture(state))
    pinger.wait()
    assert guard.asked == []


def test_one_that_has_not_come_back_is_waited_for(guard: Guard) -> None:
    guard.gate.clear()
    pinger = Pinger(guard.address, {}, lambda _: None)
    for _ in range(5):
        pinger.ping(picture())
    guard.gate.set()
    pinger.wait()
    assert len(guard.asked) == 1


def test_its_failure_is_told_once_and_without_a_secret(guard: Guard) -> None:
    told: list[str] = []
    pinger = Pinger(guard.address + "/${KEY}", {"KEY": SECRET}, told.append)
    for status in (500, 500, 200, 200):
        guard.status = status
        pinger.ping(picture())
        pinger.wait()
    assert [words.partition(":")[0] for words in told] == ["ping", "ping"]
    assert told[1] == "ping: it arrives again"
    assert SECRET not in str(told)


def test_a_secret_that_is_not_there_is_told_by_its_name() -> None:
    told: list[str] = []
    pinger = Pinger("https://127.0.0.1/${KEY}", {}, told.append)
    pinger.ping(picture())
    pinger.wait()
    assert "KEY is not set" in told[0]

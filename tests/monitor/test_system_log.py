"""The log of the system: each message whole, with its fields, and none lost while nobody listens."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from telling_parts import AT, ended, journal

from overnight.core.event_names import EventName
from overnight.core.monitor.notices import Level, level_of, notice
from overnight.host.system_log import SystemLog
from overnight.monitor.history.keeping import History
from overnight.monitor.notices import Notices
from overnight.monitor.telling import Telling


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)  # a path to a socket may not be long
    return Path("log")


@pytest.fixture
def system(place: Path) -> Iterator[socket.socket]:
    """The other end."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(os.fspath(place))
        listening.settimeout(20)
        yield listening


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with closing(History(tmp_path / "history.db")) as opened:
        yield opened


def fields(datagram: bytes) -> dict[str, str]:
    """As the journal of systemd reads it."""
    found = {}
    while datagram:
        line, _, rest = datagram.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            size = int.from_bytes(rest[:8], "little")
            value, rest = rest[8 : 8 + size], rest[9 + size :]
        found[name.decode()] = value.decode()
        datagram = rest
    return found


def told(telling: Telling, history: History) -> None:
    telling.go_on(history)
    telling.go_on(history, wait=20)


def test_journald_gets_words_a_priority_and_fields(
    system: socket.socket, place: Path, tmp_path: Path, history: History
) -> None:
    path = tmp_path / "events.jsonl"
    error = "Traceback:\n  boom\nMESSAGE=forged"
    journal(
        path,
        {"seq": 1, "event": "file_added", "at": AT, "id": 7, "input": "secret"},
        ended(2, event="file_failed", id=7, attempt=3, outcome="failed", state="failed", error=error, fingerprint="f"),
        ended(3),
        {"seq": 4, "event": "storm_began", "at": AT, "workflow": "flow", "step": "scan"},
    )
    told(Telling(path, Notices(SystemLog("journald", place), Level.NOTICE, home="/data/.overnight")), history)
    failed, storm = (fields(system.recv(65536)) for _ in range(2))
    assert failed["MESSAGE"] == f"file failed: task 7, attempt 3: {error}"
    assert (failed["PRIORITY"], failed["SYSLOG_IDENTIFIER"]) == ("3", "overnight")
    assert failed["OVERNIGHT_TASK_ID"] == "7"
    assert failed["OVERNIGHT_EVENT"] == "file_failed"
    assert failed["OVERNIGHT_ERROR"] == error
    assert failed["OVERNIGHT_FINGERPRINT"] == "f"
    assert failed["OVERNIGHT_HOME"] == "/data/.overnight"
    assert (storm["PRIORITY"], storm["OVERNIGHT_WORKFLOW"]) == ("4", "flow")
    assert history.position("system_log_seq") == 4


def test_syslog_gets_one_line(system: socket.socket, place: Path, tmp_path: Path, history: History) -> None:
    path = tmp_path / "events.jsonl"
    journal(path, ended(1, event="step_failed", parent=4, step="scan", outcome="failed", error="a\nb"))
    told(Telling(path, Notices(SystemLog("syslog", place), Level.NOTICE, home="/data")), history)
    line = system.recv(65536).decode()
    assert line.startswith("<27>Jan 15 ")
    assert line.endswith(f" overnight[{os.getpid()}]: step failed: step scan of task 4: a b")


def test_what_nobody_took_is_told_when_somebody_listens_again(place: Path, tmp_path: Path, history: History) -> None:
    path = tmp_path / "events.jsonl"
    journal(path, ended(1, event="file_failed", outcome="failed"))
    telling = Telling(path, Notices(SystemLog("journald", place), Level.NOTICE, home="/data"))
    telling.go_on(history)
    with pytest.raises(FileNotFoundError):
        telling.go_on(history, wait=20)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(os.fspath(place))
        listening.settimeout(20)
        with pytest.raises(FileNotFoundError):
            telling.go_on(history)  # on its way, and nobody knows yet
        telling.go_on(history, wait=20)
        assert fields(listening.recv(65536))["OVERNIGHT_SEQ"] == "1"
    assert history.position("system_log_seq") == 1


def test_that_nobody_listens_is_known_before_there_is_anything_to_say(
    place: Path, tmp_path: Path, history: History
) -> None:
    telling = Telling(tmp_path / "events.jsonl", Notices(SystemLog("journald", place), Level.NOTICE, home="/data"))
    telling.go_on(history)
    with pytest.raises(FileNotFoundError):
        telling.go_on(history, wait=20)


def test_a_new_listener_is_not_told_what_is_old(
    system: socket.socket, place: Path, tmp_path: Path, history: History
) -> None:
    path = tmp_path / "events.jsonl"
    journal(path, ended(1, event="file_failed", outcome="failed"), ended(2, event="file_held"))
    history.tally([], seq=1)
    told(Telling(path, Notices(SystemLog("journald", place), Level.NOTICE, home="/data")), history)
    assert fields(system.recv(65536))["OVERNIGHT_SEQ"] == "2"


def test_a_message_has_an_end_however_much_there_is_to_say() -> None:
    found = notice({"event": "file_failed", "id": 1, "error": "x" * 10**6, "result": "y" * 10**6}, home="/data")
    assert len(found.words) < 2000
    assert sum(map(len, found.fields.values())) < 3000


def test_what_is_the_least_important_thing_is_said_by_its_level() -> None:
    assert level_of(EventName.FILE_ADDED) is Level.DEBUG
    assert level_of(EventName.FILE_COMPLETED) is Level.INFO
    assert level_of(EventName.PROCESSOR_STARTED) is Level.NOTICE
    assert level_of("what a later version says") is Level.NOTICE

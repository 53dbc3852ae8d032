"""Checks that are not ours: any monitoring plugin, services, and packages, none of which can break the others."""

from __future__ import annotations

import os
import select
import socket
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from scenes import no_store

from overnight.core.check_tables import Asked, WantedCheck, read
from overnight.core.configuration import parse
from overnight.core.errors import ConfigurationError, UsageError
from overnight.core.findings import Finding, Status
from overnight.core.settings import resolve
from overnight.host.clock import SystemClock
from overnight.ops import plugins
from overnight.ops.checks import CHECKS
from overnight.ops.checks.contract import Check, Scene, ok
from overnight.ops.examination import examine
from overnight.ops.plugins import answered, brought, catalogue, check_of

OURS = Check("theirs", "Theirs", lambda _: [ok("theirs", "fine")])


def mixed() -> list[object]:
    """Half of it are checks."""
    return [OURS, "a check"]


def loud() -> list[Check]:
    raise RuntimeError("x" * 10_000)


@pytest.fixture
def ask(tmp_path: Path) -> Callable[..., Finding]:
    """Ask one check of the configuration."""
    scene = Scene(tmp_path, None, no_store, resolve(flags={}, environ={}, configured={}), SystemClock())

    def asked(kind: Asked, *words: str, **more: Any) -> Finding:
        wanted = WantedCheck("mine", kind, words, **{"timeout": 20.0, **more})
        [answer] = examine([check_of(wanted)], scene)
        [finding] = answer.findings
        return finding

    return asked


MINE = WantedCheck("mine", Asked.RUN, ("mine",))


@pytest.mark.parametrize(
    ("exit_code", "said", "expected"),
    [
        (0, b"RAID OK | age=12s;60;90\nmore", (Status.OK, "RAID OK", 12.0, "seconds")),
        (1, b"LOAD WARNING|'load 1'=17.5%", (Status.WARN, "LOAD WARNING", pytest.approx(0.175), "ratio")),
        (2, b"DISK CRITICAL | free=2MB", (Status.FAIL, "DISK CRITICAL", 2 * 1024.0**2, "bytes")),
        (3, b"", (Status.UNKNOWN, "exit status 3, and not a word", None, "")),
        (-9, b"\xff\x1b[2J", (Status.UNKNOWN, "\ufffd\x1b[2J", None, "")),
        (77, b"x | y=1.2.3", (Status.UNKNOWN, "x", None, "")),
        (0, b"x | n=4c", (Status.OK, "x", 4.0, "count")),
    ],
)
def test_what_a_plugin_says(exit_code: int, said: bytes, expected: tuple[object, ...]) -> None:
    found = answered(MINE, exit_code, said)
    assert (found.status, found.summary, found.value, found.unit) == expected
    assert bool(found.fixes) == (found.status is not Status.OK)


def test_a_check_has_the_command_that_somebody_has_named_for_it(ask: Callable[..., Finding]) -> None:
    """Else words alone, with the way to name one."""
    (fix,) = answered(MINE._replace(fix=("systemctl", "restart", "raid")), 2, b"x").fixes
    assert (fix.argv, fix.id) == (("systemctl", "restart", "raid"), "mine")
    (fix,) = answered(MINE, 2, b"x").fixes
    assert (fix.argv, "fix = [...]" in fix.text) == ((), True)
    wanted, wrong = read("web", {"tcp": "localhost:1", "fix": ["true", "x"]})
    assert wanted is not None
    assert (wanted.fix, wrong) == (("true", "x"), [])
    assert read("web", {"tcp": "localhost:1", "fix": []})[1][0][0] == "fix"
    assert ask(Asked.TCP, "localhost", "1", fix=("true",)).fixes[0].argv == ("true",)
    assert ask(Asked.RUN, "sleep", "50", fix=("true",), timeout=0.2).fixes[0].argv == ("true",)


def test_any_program_is_a_check(ask: Callable[..., Finding]) -> None:
    found = ask(Asked.RUN, sys.executable, "-c", "import sys; print('full | used=93%'); sys.exit(2)")
    assert (found.status, found.summary, found.value) == (Status.FAIL, "full", 0.93)
    missing = ask(Asked.RUN, "/nowhere/check_nothing")
    assert (missing.status, "cannot be started" in missing.summary) == (Status.UNKNOWN, True)


def test_a_program_past_its_time_is_unknown_and_ended_with_what_it_has_started(
    ask: Callable[..., Finding], tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "alive")
    reader = os.open(tmp_path / "alive", os.O_RDONLY | os.O_NONBLOCK)
    found = ask(Asked.RUN, "sh", "-c", "sleep 50 >alive & sleep 50", timeout=0.5)
    assert (found.status, "no answer" in found.summary) == (Status.UNKNOWN, True)
    assert "timeout = ... in [check." in found.fixes[0].text
    # Nobody has it open any more, long before it would have ended by itself.
    assert select.select([reader], [], [], 20.0)[0]
    assert os.read(reader, 1) == b""
    os.close(reader)


def test_a_program_that_prints_without_end_costs_no_memory(ask: Callable[..., Finding]) -> None:
    tracemalloc.start()
    found = ask(Asked.RUN, "sh", "-c", "echo first; head -c 30000000 /dev/zero; exit 1")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (found.status, found.summary) == (Status.WARN, "first")
    assert peak < 5_000_000


def test_a_program_that_has_left_and_holds_the_pipe_is_not_waited_for(ask: Callable[..., Finding]) -> None:
    """It has a session of its own, so nothing reaches it; it ends by itself."""
    leaves = "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(20)\n"
    began = SystemClock().monotonic()
    found = ask(Asked.RUN, sys.executable, "-c", leaves, timeout=2.0)
    assert found.status is Status.UNKNOWN
    assert SystemClock().monotonic() - began < 15.0


def test_a_program_that_closes_its_output_and_goes_on_is_past_its_time_too(ask: Callable[..., Finding]) -> None:
    found = ask(Asked.RUN, "sh", "-c", "exec >&- 2>&-; sleep 50", timeout=0.5)
    assert (found.status, found.summary) == (Status.UNKNOWN, "no answer within 0.5 s")


def test_a_program_that_reads_its_input_finds_none(ask: Callable[..., Finding]) -> None:
    assert ask(Asked.RUN, "cat").summary == "exit status 0, and not a word"


def test_what_is_said_is_cut_and_shows_no_control_characters_of_lines() -> None:
    found = answered(MINE, 1, b"x" * 10_000 + b"\nmore")
    assert len(found.summary) == 300
    assert answered(MINE, 0, b"x | y=-").value is None


class _Odd(BaseHTTPRequestHandler):
    """Answers in a way that is no answer."""

    def do_GET(self) -> None:
        self.wfile.write(b"nonsense\r\n\r\n")

    def log_message(self, *_: object) -> None:
        pass


def test_what_is_no_answer_is_a_failure_of_the_service(
    ask: Callable[..., Finding], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "*")
    with HTTPServer(("127.0.0.1", 0), _Odd) as odd:
        thread = threading.Thread(target=odd.handle_request, daemon=True)
        thread.start()
        found = ask(Asked.HTTP, f"http://127.0.0.1:{odd.server_port}/")
        thread.join(30)
    assert (found.status, "does not answer" in found.summary) == (Status.FAIL, True)
    assert "does not answer" in ask(Asked.HTTP, "http://[half/").summary
    with socket.create_server(("127.0.0.1", 0)) as mute:
        found = ask(Asked.HTTP, f"http://127.0.0.1:{mute.getsockname()[1]}/", timeout=0.3)
    assert (found.status, "timed out" in found.summary) == (Status.FAIL, True)


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health" else 503)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    made = HTTPServer(("127.0.0.1", 0), _Answers)
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join(30)


def test_services_answer_or_do_not(
    ask: Callable[..., Finding], server: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    port = str(server.server_port)
    assert ask(Asked.HTTP, f"http://127.0.0.1:{port}/health").status is Status.OK
    assert ask(Asked.HTTP, f"http://127.0.0.1:{port}/ill").summary.endswith("answers 503")
    assert ask(Asked.TCP, "127.0.0.1", port).status is Status.OK
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        free = str(nobody.getsockname()[1])
        assert ask(Asked.TCP, "127.0.0.1", free).status is Status.FAIL
        assert ask(Asked.HTTP, f"http://127.0.0.1:{free}/").status is Status.FAIL


@pytest.mark.parametrize(
    "address", ["http://me:{}@127.0.0.1:{}/x", "http://127.0.0.1:{1}/{0}", "http://127.0.0.1:{1}/x?k={0}"]
)
def test_what_may_be_secret_of_an_address_is_not_shown(
    ask: Callable[..., Finding], server: HTTPServer, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """A finding goes into reports, pages and messages."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert "hush" not in ask(Asked.HTTP, address.format("hush", server.server_port)).summary
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        assert "hush" not in ask(Asked.HTTP, address.format("hush", nobody.getsockname()[1])).summary


def test_a_file_is_there_and_young_enough_or_is_not(ask: Callable[..., Finding], tmp_path: Path) -> None:
    assert ask(Asked.FILE, "beat").status is Status.FAIL
    (tmp_path / "beat").touch()
    assert ask(Asked.FILE, "beat", max_age=3600.0).status is Status.OK
    os.utime(tmp_path / "beat", (1e9, 1e9))
    assert ask(Asked.FILE, "beat", max_age=3600.0).status is Status.WARN
    assert ask(Asked.FILE, "beat").status is Status.OK
    os.utime(tmp_path / "beat", (1e10, 1e10))  # by a clock that is ahead of ours
    assert ask(Asked.FILE, "beat", max_age=3600.0).value == 0.0


@pytest.mark.parametrize(
    ("said", "code", "status"),
    [("active", 0, Status.OK), ("failed", 3, Status.FAIL), ("Failed to connect to bus", 1, Status.UNKNOWN)],
)
def test_a_unit_is_active_or_is_not(
    ask: Callable[..., Finding], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, code: int, status: Status
) -> None:
    program = tmp_path / "systemctl"
    program.write_text(f"#!/bin/sh\necho '{said}'\nexit {code}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    found = ask(Asked.SYSTEMD, "nginx.service")
    assert found.status is status
    assert ("systemctl" in "".join(fix.text for fix in found.fixes)) is (status is Status.FAIL)


def test_a_package_that_cannot_be_loaded_is_a_finding_and_nothing_else(tmp_path: Path) -> None:
    points = [
        EntryPoint("gone", "no_such_module_at_all:CHECK", plugins.GROUP),
        EntryPoint("fine", "test_plugins:OURS", plugins.GROUP),
        EntryPoint("odd", "os:getcwd", plugins.GROUP),
        EntryPoint("none", "builtins:list", plugins.GROUP),
        EntryPoint("mixed", "test_plugins:mixed", plugins.GROUP),
        EntryPoint("loud", "test_plugins:loud", plugins.GROUP),
    ]
    sys.modules.setdefault("test_plugins", sys.modules[__name__])
    scene = Scene(tmp_path, None, no_store, resolve(flags={}, environ={}, configured={}), SystemClock())
    answers = examine(list(brought(points)), scene)
    assert [answer.findings[0].status for answer in answers] == [Status.FAIL, Status.OK, *[Status.FAIL] * 4]
    assert "no_such_module_at_all" in answers[0].findings[0].summary
    assert answers[0].findings[0].fixes
    assert len(answers[-1].findings[0].summary) <= 300


def test_services_are_asked_in_each_round_and_programs_as_what_takes_long() -> None:
    asked = {kind: check_of(WantedCheck("mine", kind, ("x", "1"))).every for kind in Asked}
    assert asked == {**dict.fromkeys(Asked, 0.0), Asked.RUN: None}
    assert check_of(WantedCheck("mine", Asked.HTTP, ("x",), every=300.0)).every == 300.0


def test_what_packages_bring_never_keeps_anything_else_from_being_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither one that ends the process when it is loaded, nor two of one name."""
    sys.modules.setdefault("test_plugins", sys.modules[__name__])
    (tmp_path / "quits_when_loaded.py").write_text("raise SystemExit(3)")
    monkeypatch.syspath_prepend(tmp_path)
    modules = ("quits_when_loaded:CHECK", "no_such_module_at_all:CHECK", "test_plugins:OURS", "test_plugins:OURS")
    points = [EntryPoint("same", module, plugins.GROUP) for module in modules]
    monkeypatch.setattr(plugins, "entry_points", lambda **_: points)
    known = catalogue({"plugin-theirs": WantedCheck("plugin-theirs", Asked.FILE, ("x",))})
    scene = Scene(tmp_path, None, no_store, resolve(flags={}, environ={}, configured={}), SystemClock())
    checks = [known[name]() for name in known if name not in CHECKS]
    found = {answer.check.id: answer.findings[0] for answer in examine(checks, scene)}
    assert found["theirs"].status is Status.OK
    assert "SystemExit" in found["plugin-same"].summary
    assert "no_such_module_at_all" in found["plugin-same-2"].summary
    assert "'theirs'" in found["plugin-theirs-2"].summary


def test_every_check_is_in_the_catalogue_ours_first() -> None:
    known = catalogue({"mine": WantedCheck("mine", Asked.FILE, ("x",))})
    assert [*known][: len(CHECKS)] == [*CHECKS]
    assert known["mine"]().id == "mine"
    assert known["disk"]().id == "disk"
    with pytest.raises(UsageError, match="two checks 'disk'"):
        catalogue({"disk": WantedCheck("disk", Asked.FILE, ("x",))})


def test_what_the_configuration_says() -> None:
    text = """
[check.api]
http = "http://127.0.0.1:8000/health"
timeout = "2s"
[check.raid]
run = "check_raid -w 1"
[check.db]
tcp = "[::1]:5432"
[check.beat]
file = "beat"
max_age = "26h"
every = "10m"
"""
    assert parse(text).checks == {
        "api": WantedCheck("api", Asked.HTTP, ("http://127.0.0.1:8000/health",), 2.0),
        "raid": WantedCheck("raid", Asked.RUN, ("check_raid", "-w", "1")),
        "db": WantedCheck("db", Asked.TCP, ("::1", "5432")),
        "beat": WantedCheck("beat", Asked.FILE, ("beat",), max_age=26 * 3600.0, every=600.0),
    }


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ('http = "file:///etc/passwd"', "no address"),
        ('tcp = "localhost"', "no host and port"),
        ('tcp = "localhost:99999"', "no host and port"),
        ("run = []", "empty command"),
        ('systemd = "a b"', "no unit"),
        ('file = ""', "no path"),
        ('file = "x"\nhttp = "http://x"', "asks one thing"),
        ("timeout = 3", "asks one thing"),
        ('tcp = "x:1"\nmax_age = "1h"', "only a file"),
        ('tcp = "x:1"\ntimeout = 0', "too little"),
        ('tcp = "x:1"\nevery = 0', "too little"),
        ('tcp = "x:1"\ntimeuot = 1', "did you mean 'timeout'"),
    ],
)
def test_what_makes_no_sense_is_told_with_its_place(table: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as error:
        parse(f"[check.mine]\n{table}\n")
    assert "overnight.toml:" in error.value.message


def test_a_table_is_read_without_its_unknown_keys() -> None:
    assert read("x", {"file": "y", "odd": 1}) == (WantedCheck("x", Asked.FILE, ("y",)), [])

"""What goes wrong before any task does: each is one clear error, and nothing is lost by it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from terminal import Terminal

HOME = Path(".overnight")


def refused(terminal: Terminal, *words: str, status: int) -> str:
    """What a call that ends with this status says; it must be an error of three parts."""
    said = terminal.complete(*words)
    error = said.stderr.decode()
    assert said.returncode == status, error
    assert "Traceback" not in error
    first, hint = error.rstrip("\n").rsplit("\n", 1)
    assert first.startswith("overnight: "), error
    assert "; " in first, error
    assert hint.startswith("  try: "), error
    return error


@pytest.mark.parametrize("what", [["queue.db"], ["queue.db", "queue.db-wal", "queue.db-shm"]], ids=["alone", "all"])
@pytest.mark.parametrize("verb", [["add", "x", "--", "true"], ["run"], ["run", "x", "--", "true"], ["status"]])
def test_a_store_that_has_vanished_is_never_replaced_by_an_empty_one(
    terminal: Terminal, what: list[str], verb: list[str]
) -> None:
    terminal.run("add", "a", "--", "true")
    for name in what:
        (terminal.cwd / HOME / name).unlink(missing_ok=True)

    assert "is gone" in refused(terminal, *verb, status=6)
    assert not (terminal.cwd / HOME / "queue.db").exists()


def shell(terminal: Terminal, line: str) -> subprocess.CompletedProcess[bytes]:
    """A line of a shell in which ``$overnight`` is the program."""
    program = f"{sys.executable} -m overnight"
    return subprocess.run(
        ["sh", "-c", line],
        cwd=terminal.cwd,
        env=os.environ | {"overnight": program},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("where", [">/dev/full", "| true", ">/dev/full 2>/dev/full"])
def test_a_run_whose_output_nobody_takes_works_on(terminal: Terminal, where: str) -> None:
    """The output is kept in the home; that it cannot be printed must not cost the night."""
    said = shell(terminal, f"$overnight run a b c -- sh -c 'seq 30000' - {where}")

    assert b"Traceback" not in said.stderr
    assert terminal.counts()["completed"] == 3
    terminal.verify()


def test_a_run_whose_output_cannot_be_written_says_so_once_and_ends_with_1(terminal: Terminal) -> None:
    said = shell(terminal, "$overnight run a b c -- echo >/dev/full")

    assert said.returncode == 1
    assert said.stderr.decode().count("cannot be printed") == 1
    assert "overnight log ID" in said.stderr.decode()


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_streams_are_as_if_they_led_nowhere(terminal: Terminal, closed: str) -> None:
    """And no file of ours takes their numbers, where output would be written into it."""
    said = shell(terminal, f"{{ $overnight run a b -- echo {closed}; }} && $overnight list {closed}")

    assert said.returncode == 0
    assert b"Traceback" not in said.stderr
    assert terminal.counts()["completed"] == 2
    terminal.verify()


def test_ctrl_c_while_the_program_loads_is_no_traceback(terminal: Terminal) -> None:
    """At any of its imports, from the first line of ours on."""
    loaded = "import signal, sys; from overnight.ui.program import main; "
    for name in ("click", "overnight.ui.cli.printing", "overnight.ui.cli.group", "overnight.ui.cli.commands.status"):
        program = (
            f"{loaded}\nclass Interrupt:\n"
            f"    def find_spec(self, name, *_):\n"
            f"        if name == {name!r}: signal.raise_signal(signal.SIGINT)\n"
            f"sys.meta_path.insert(0, Interrupt()); sys.argv = ['overnight', 'status']; main()"
        )
        said = subprocess.run(
            [sys.executable, "-c", program], cwd=terminal.cwd, capture_output=True, timeout=60, check=False
        )
        assert said.stderr.strip() == b"", (name, said.stderr)
        assert said.returncode in (130, -2), name


def test_a_deleted_directory_is_named_as_the_trouble(terminal: Terminal) -> None:
    for words in ("status", "add x -- true", "run x -- true"):
        said = shell(terminal, f"mkdir gone; cd gone; rmdir ../gone; $overnight {words}")
        assert said.returncode == 2
        assert b"current directory has been deleted" in said.stderr


@pytest.mark.parametrize("verb", ["show", "log", "cancel"])
def test_a_number_that_no_task_can_have_is_no_task(terminal: Terminal, verb: str) -> None:
    terminal.run("add", "x", "--", "true")

    assert "there is no task" in refused(terminal, verb, "9" * 30, status=4)
    assert "there is no task" in refused(terminal, verb, "77", status=4)
    assert "is no task id" in refused(terminal, verb, "x", status=2)


def test_a_resource_that_is_not_there_is_refused_instead_of_waited_for(terminal: Terminal) -> None:
    assert "gpu" in refused(terminal, "run", "--needs", "gpu=2", "x", "--", "true", status=2)
    (terminal.cwd / "overnight.toml").write_text("[resources]\ngpu = 2\n")
    terminal.run("run", "--needs", "gpu=2", "x", "--", "true")


@pytest.mark.parametrize("how", ["bytes", "directory", "pipe", "loop"])
def test_a_configuration_that_cannot_be_read_is_named(terminal: Terminal, how: str) -> None:
    config = terminal.cwd / "overnight.toml"
    match how:
        case "bytes":
            config.write_bytes(b"\xff")
        case "directory":
            config.mkdir()
        case "pipe":
            os.mkfifo(config)
        case "loop":
            config.symlink_to(config)

    error = refused(terminal, "run", "x", "--", "true", status=2)
    assert "cannot be read" in error
    assert "Errno" not in error


def test_a_value_in_the_environment_that_makes_no_sense_is_named(terminal: Terminal) -> None:
    said = shell(terminal, "OVERNIGHT_TIMEOUT=-3 $overnight run x -- true")

    assert said.returncode == 2
    assert b"OVERNIGHT_TIMEOUT" in said.stderr
    assert b"  try: " in said.stderr


def test_wait_says_why_it_does_not_end_well(terminal: Terminal) -> None:
    terminal.run("run", "--retries", "0", "x", "--", "false", code=1)

    assert "1 task failed" in refused(terminal, "wait", status=1)

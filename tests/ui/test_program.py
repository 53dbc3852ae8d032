"""The command line as a program of its own: how fast it starts, what it reads, how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Program = Callable[..., "subprocess.CompletedProcess[bytes]"]

#: Each of these would cost `add` more than everything it does.
SLOW = {
    "asyncio",
    "fastapi",
    "textual",
    "rich",
    "pydantic",
    "psutil",
    "logging",
    "sqlalchemy",
    "subprocess",
    "multiprocessing",
}


@pytest.mark.parametrize("words", [["add", "x", "--", "true"], ["status"], ["status", "--json"], ["--help"], ["list"]])
def test_what_must_start_in_an_instant_imports_nothing_slow(program: Program, words: list[str]) -> None:
    assert program("add", "x", "--", "true").returncode == 0
    ended = program(*words, python=("-X", "importtime"))
    assert ended.returncode == 0
    imported = {line.split(b"|")[2].strip().decode() for line in ended.stderr.splitlines() if line.count(b"|") == 2}
    assert "click" in imported
    assert not imported & SLOW
    assert "overnight.core.nodes" not in imported, "everything runs on one machine here"


@pytest.mark.parametrize("words", [["status"], ["status", "--json"], ["list"]])
def test_a_look_loads_nothing_that_hashes_rings_or_calls_the_kernel(program: Program, words: list[str]) -> None:
    """Each takes 2 to 5 ms to load; whoever adds a task needs two of them."""
    assert program("add", "x", "--", "true").returncode == 0
    imported = program(*words, python=("-X", "importtime")).stderr.replace(b"|", b"").split()
    assert b"apsw" in imported
    assert not {b"hashlib", b"socket", b"ctypes"} & set(imported)


def test_inputs_come_through_a_pipe(program: Program) -> None:
    assert program("add", "--", "gzip", stdin=b"a b\nc\n").stdout == b"1\n2\n"
    assert program("add", "-0", "--", "gzip", stdin=b"a\nb\0").stdout == b"3\n"
    assert program("add", "-a", "-", "--", "gzip", stdin=b"z\n").stdout == b"4\n"
    shown = json.loads(program("show", "3", "--json").stdout)
    assert shown["input"] == "a\nb"


def test_stdin_is_left_alone_when_inputs_are_named_or_nothing_is_piped(program: Program) -> None:
    assert program("add", "a", "--", "gzip", stdin=b"b\nc\n").stdout == b"1\n"
    assert program("add", "--", "make").stdout == b"2\n"


def test_an_empty_pipe_adds_nothing(program: Program) -> None:
    ended = program("add", "--", "gzip", stdin=b"")
    assert (ended.returncode, ended.stdout) == (0, b"")
    assert b"there were no inputs; nothing was added" in ended.stderr


@pytest.mark.parametrize("locale", ["C.UTF-8", "C", "POSIX"])
def test_names_that_are_not_text_come_through_in_every_locale(program: Program, locale: str) -> None:
    env = {"LC_ALL": locale, "LANG": locale}
    assert program("add", "--", "gzip", ":::", b"caf\xe9 \xe2\x82\xac", env=env).returncode == 0
    assert program("list", env=env).returncode == 0
    shown = json.loads(program("show", "1", "--json", env=env).stdout)
    assert shown["input_b64"] == "Y2Fm6SDigqw="


def unread(place: Path, *words: str) -> tuple[int, bytes]:
    """Exit status and error output of a call whose reader has left."""
    read, write = os.pipe()
    os.close(read)
    ended = subprocess.run(
        [sys.executable, "-m", "overnight", *words],
        cwd=place,
        stdout=write,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    os.close(write)
    return ended.returncode, ended.stderr


def test_a_reader_that_leaves_is_no_error_worth_a_word(program: Program, place: Path) -> None:
    (place / "list").write_text("".join(f"{n}\n" for n in range(50_000)))
    assert unread(place, "add", "-a", "list", "--", "true") == (141, b"")
    assert json.loads(program("status", "--json").stdout)["counts"]["pending"] == 50_000


def test_a_page_of_help_that_nobody_reads_ends_like_any_result(place: Path) -> None:
    assert unread(place, "add", "--help") == (141, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_result_that_cannot_be_written_is_said_and_what_was_done_stays(program: Program, place: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "overnight", "add", "a", "--", "true"],
            cwd=place,
            stdout=full,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    assert ended.returncode == 1
    assert b"the result could not be written" in ended.stderr
    assert b"Traceback" not in ended.stderr
    assert json.loads(program("status", "--json").stdout)["counts"]["pending"] == 1


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_calls_the_program_back(program: Program, shell: str) -> None:
    ended = program("completion", shell)
    assert ended.returncode == 0
    assert b"_OVERNIGHT_COMPLETE" in ended.stdout


def test_completion_knows_commands_and_options(program: Program) -> None:
    env = {"_OVERNIGHT_COMPLETE": "bash_complete", "COMP_WORDS": "overnight stat", "COMP_CWORD": "1"}
    assert program(env=env).stdout == b"plain,status\n"
    env |= {"COMP_WORDS": "overnight add --time", "COMP_CWORD": "2"}
    assert b"--timeout" in program(env=env).stdout


def test_a_home_that_cannot_be_trusted_is_refused(program: Program, place: Path) -> None:
    assert program("add", "a", "--", "true").returncode == 0
    (place / ".overnight").chmod(0o777)
    for words in (["status"], ["add", "b", "--", "true"]):
        ended = program(*words)
        assert (ended.returncode, ended.stdout) == (2, b"")
        assert b"can be written to by other users" in ended.stderr


def test_a_store_that_is_damaged_is_exit_6_and_stays_as_it_is(program: Program, place: Path) -> None:
    assert program("add", "a", "--", "true").returncode == 0
    store = place / ".overnight" / "queue.db"
    for path in (store, store.with_name("queue.db-wal")):
        if path.exists():
            path.write_bytes(b"x" * path.stat().st_size)
    before = store.read_bytes()
    ended = program("status")
    assert ended.returncode == 6
    assert b"Traceback" not in ended.stderr
    assert store.read_bytes() == before


def test_the_log_has_what_the_task_printed_byte_for_byte(program: Program) -> None:
    script = r"printf 'caf\351\n'; printf '\033[2Jx\n'; printf 'oops\n' >&2; exit 3"
    assert program("run", "--retries", "0", "--quiet", "--", "sh", "-c", script).returncode == 1
    for words in (["log", "1"], ["log", "-f", "1"], ["log", "1", "--attempt", "1"]):
        ended = program(*words)
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"caf\xe9\n\x1b[2Jx\n", b"oops\n")
    ended = program("log", "1", "--attempt", "2")
    assert (ended.returncode, ended.stdout) == (4, b"")
    assert b"has no ended attempt 2; it has 1" in ended.stderr

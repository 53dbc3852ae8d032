from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from overnight.host.awake import Awake
from overnight.host.processes import alive, identity
from overnight.host.purge import purge

#: Stands in for systemd-inhibit: notes how it was called, and runs what it was given.
INHIBIT = '#!/bin/sh\necho "$@" >>"$(dirname "$0")/called"\nshift 4\nexec "$@"\n'


@pytest.fixture
def bin_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only directory in which programs are found, with a cat in it."""
    (tmp_path / "cat").symlink_to("/bin/cat")
    (tmp_path / "sh").symlink_to("/bin/sh")
    (tmp_path / "dirname").symlink_to("/usr/bin/dirname")
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def install(directory: Path, script: str) -> None:
    path = directory / "systemd-inhibit"
    path.write_text(script)
    path.chmod(0o755)


@pytest.fixture
def awake() -> Iterator[Awake]:
    awake = Awake()
    yield awake
    awake.let_go()


def children() -> set[psutil.Process]:
    return set(psutil.Process().children(recursive=True))


def until_it_reads(others: set[psutil.Process]) -> None:
    """The stand-in has become what it was given."""
    deadline = time.monotonic() + 20
    while [_name(child) for child in children() - others] != ["cat"]:
        assert time.monotonic() < deadline


def _name(child: psutil.Process) -> str:
    """Nothing for a program that has ended since the list was made."""
    try:
        return child.name()
    except psutil.NoSuchProcess:
        return ""


def test_it_is_held_until_it_is_let_go(awake: Awake, bin_: Path) -> None:
    others = children()
    install(bin_, INHIBIT)
    awake.hold()
    awake.hold()
    assert awake.is_held
    until_it_reads(others)
    assert purge() == set()
    assert awake.is_held
    awake.let_go()
    awake.let_go()
    assert not awake.is_held
    assert children() <= others
    assert (bin_ / "called").read_text().splitlines() == [
        "--what=sleep:idle --who=overnight --why=tasks are running --mode=block cat"
    ]
    awake.hold()
    assert awake.is_held
    until_it_reads(others)


def test_where_nothing_offers_it_nothing_is_done(awake: Awake, bin_: Path) -> None:
    awake.hold()
    assert not awake.is_held
    assert bin_.exists()


def test_one_that_is_refused_is_not_asked_again(awake: Awake, bin_: Path) -> None:
    install(bin_, '#!/bin/sh\necho "$@" >>"$(dirname "$0")/called"\nexit 1\n')
    awake.hold()
    deadline = time.monotonic() + 20
    while awake.is_held:
        assert time.monotonic() < deadline
    awake.hold()
    awake.hold()
    assert not awake.is_held
    assert len((bin_ / "called").read_text().splitlines()) == 1
    awake.let_go()


def test_it_goes_when_its_process_is_killed(bin_: Path) -> None:
    install(bin_, INHIBIT)
    script = (
        f"import sys; sys.path[:] = {sys.path!r}; from overnight.host.awake import Awake; awake = Awake(); "
        "awake.hold(); print(awake._child.pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        keeper = identity(int(holder.stdout.readline()))
        assert keeper is not None
        os.kill(holder.pid, signal.SIGKILL)
        deadline = time.monotonic() + 20
        while alive(keeper):
            assert time.monotonic() < deadline

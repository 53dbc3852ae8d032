"""``overnight run`` beside programs that take files out of the queue by themselves; all of them real processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from small_machine import ROOM
from terminal import Terminal

from overnight import wiring
from overnight.host.home import Home

#: Pops one task and does nothing with it until its stdin ends, or for two minutes.
HANG = """
import select, sys
from overnight import wiring
store = wiring.open_store(wiring.find_home())
one = store.pop("default", owner=wiring.owner(), now=wiring.clock.now(), by="somebody")
print(store.get(one.task_id).input.decode(), flush=True)
select.select([sys.stdin], [], [], 120)
"""


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Terminal]:
    made = Terminal(tmp_path)
    yield made
    made.close()


@pytest.fixture
def popper(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Somebody who has popped "taken", and lives."""
    Terminal(tmp_path).run("add", "taken", "mine", "--", "touch")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OVERNIGHT_")} | ROOM
    process = subprocess.Popen(
        [sys.executable, "-c", HANG],
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "taken\n"
    yield process
    process.kill()
    process.communicate()


def test_a_program_that_hangs_does_not_keep_run_from_ending(here: Terminal, popper: subprocess.Popen[str]) -> None:
    done = here.complete("run")
    assert (done.returncode, popper.poll()) == (0, None)
    assert b"1 done, 1 with other programs in" in done.stderr
    assert b"overnight list --state running" in done.stderr
    assert [task["state"] for task in here.tasks()] == ["running", "completed"]
    here.verify()


def test_run_works_on_what_a_dead_program_had_popped(here: Terminal, popper: subprocess.Popen[str]) -> None:
    popper.kill()
    popper.wait()
    here.run("run")
    assert [(task["state"], task["attempt"]) for task in here.tasks()] == [("completed", 2), ("completed", 1)]
    here.verify()


def test_who_names_an_input_that_another_program_has_is_told_by_the_exit_status(
    here: Terminal, popper: subprocess.Popen[str]
) -> None:
    """7 as for every run that leaves some of its work; and the same line does it when the program has gone."""
    line = ("run", "taken", "mine", "--", "touch")
    done = here.complete(*line)
    assert (done.returncode, popper.poll()) == (7, None)
    assert b"1 done, 1 with other programs in" in done.stderr

    popper.kill()
    popper.wait()
    here.run(*line)
    assert (here.cwd / "taken").exists()


def test_a_follower_does_not_wait_for_what_another_program_has_either(
    here: Terminal, popper: subprocess.Popen[str], tmp_path: Path
) -> None:
    """An engine that works on something else goes on meanwhile."""
    here.run("add", "--timeout", "100", "--retries", "0", "--", "sh", "-c", "while [ ! -e go ]; do sleep 0.1; done")
    engine = here.start("run")
    with closing(wiring.open_store(Home(tmp_path / ".overnight"))) as store:
        while store.counts().completed < 1:
            assert engine.poll() is None

        done = here.complete("run", "taken", "mine", "--", "touch")

    assert (done.returncode, popper.poll(), engine.poll()) == (7, None, None)
    assert b"1 with other programs" in done.stderr
    (here.cwd / "go").touch()
    assert engine.wait(60) == 0


def test_cancelling_what_another_program_has_takes_effect_when_that_has_ended(
    here: Terminal, popper: subprocess.Popen[str]
) -> None:
    here.run("cancel", "1")
    here.run("run")
    popper.kill()
    popper.wait()
    here.run("run")
    assert [task["state"] for task in here.tasks()] == ["cancelled", "completed"]
    assert not (here.cwd / "taken").exists()
